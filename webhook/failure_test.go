package webhook

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// failing is a check that can be asked of nothing.
func failing() *policies.Check {
	return &policies.Check{ID: "acme/broken", Title: "Broken", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Doc: "d", Remedy: "r",
		Run: func(p *policies.Pass) { p.Fail("x.rego:9: divide by zero. Correct the rule.") }}
}

// TestFailures: what cannot be found out is left to failurePolicy where it would be denied, and is never taken for fine.
func TestFailures(t *testing.T) {
	glass := set(content(t, bound), "annotations", map[string]any{policies.BreakGlassAnnotation: "INC-7"})
	for name, c := range map[string]struct {
		action  v1alpha1.Action
		request *admissionv1.AdmissionRequest
		checks  []*policies.Check
		status  int
		says    string
		dropped []string
	}{
		"denied by it":    {v1alpha1.Deny, creates(t, bound), []*policies.Check{failing()}, http.StatusInternalServerError, "check acme/broken could not be asked: x.rego:9: divide by zero", []string{"failed"}},
		"warned about":    {v1alpha1.Warn, creates(t, bound), []*policies.Check{failing()}, http.StatusOK, "check acme/broken could not be asked", nil},
		"only audited":    {v1alpha1.Audit, creates(t, bound), []*policies.Check{failing()}, http.StatusOK, "", nil},
		"denied anyway":   {v1alpha1.Deny, creates(t, noOp), append(policies.Checks("effect/*"), failing()), http.StatusOK, "this DENY denies nothing", nil},
		"breaks glass":    {v1alpha1.Deny, request(t, admissionv1.Create, glass, nil), []*policies.Check{failing()}, http.StatusOK, "admitted by break-glass (INC-7)", nil},
		"about no object": {v1alpha1.Deny, creates(t, "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}}"), []*policies.Check{failing()}, http.StatusOK, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(snapshot(t, shop), rulebookOf(t, c.checks, []*v1alpha1.Guardrail{guardrail(c.action, "")}))
			k := asked{mayWho: "ann"}
			k.of(&o)
			var dropped []string
			o.Dropped = func(why string) { dropped = append(dropped, why) }
			counted := 0
			o.Meter = &policies.Meter{Failed: func(policies.Failure) { counted++ }}
			w := post(New(o).Validating(), bodyOf(t, c.request))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || !slices.Equal(dropped, c.dropped) {
				t.Errorf("%d %s, dropped %q", w.Code, w.Body, dropped)
			}
			if about := c.request.Kind.Kind == "AuthorizationPolicy"; (counted > 0) != about {
				t.Errorf("%d failures are counted", counted)
			}
		})
	}
}

// TestOccasion: checks see who asks for what, and may think until the request ends.
func TestOccasion(t *testing.T) {
	var saw policies.Occasion
	looks := &policies.Check{ID: "acme/looks", Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Run: func(p *policies.Pass) { saw = p.Occasion }}
	o := options(snapshot(t, shop), rulebookOf(t, []*policies.Check{looks}, nil))
	r := request(t, admissionv1.Update, content(t, bound), content(t, noOp))
	dry := true
	r.DryRun, r.UserInfo.Groups = &dry, []string{"dev"}
	post(New(o).Validating(), bodyOf(t, r))
	if saw.Phase != policies.AtAdmission || saw.Operation != "UPDATE" || !saw.DryRun || saw.User.Username != "ann" || !slices.Equal(saw.User.Groups, []string{"dev"}) ||
		saw.Old == nil || saw.Old.Name != "no-op" || !saw.Now.Equal(now) {
		t.Errorf("%+v", saw)
	}
	if !saw.Over() {
		t.Error("the request has ended, and checks may still think")
	}
}
