package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestLabelsAreClosed: whoever can reach the port makes no new time series.
func TestLabelsAreClosed(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	o := denying(t)
	o.Observe, o.Dropped = m.Observe, m.Dropped
	h := New(o).Validating()
	ask := func(hostile string, change func(*admissionv1.AdmissionRequest)) {
		for _, o := range ofEveryKind(t) {
			r := request(t, admissionv1.Create, set(o, "name", hostile), nil)
			r.UserInfo.Username = hostile
			change(r)
			post(h, bodyOf(t, r))
		}
		post(h, []byte(hostile))
	}
	for i := range 5 {
		hostile := fmt.Sprintf("Hostile-%d\n\"", i)
		ask(hostile, func(*admissionv1.AdmissionRequest) {})
		ask(hostile, func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Operation(hostile) })
		ask(hostile, func(r *admissionv1.AdmissionRequest) { r.Kind.Kind = hostile })
		ask(hostile, func(r *admissionv1.AdmissionRequest) { r.Kind.Group = hostile })
		ask(hostile, func(r *admissionv1.AdmissionRequest) { r.Kind.Version, r.Namespace = hostile, hostile })
	}
	known := map[string]map[string]bool{
		"kind": {"other": true, v1alpha1.GuardrailKind: true, v1alpha1.ExemptionKind: true}, "operation": {"CREATE": true, "UPDATE": true, "DELETE": true, "other": true},
		"decision": {Admitted: true, Warned: true, Denied: true, Repaired: true, BrokenGlass: true}, "dry_run": {"true": true, "false": true}, "severity": {}, "check": {},
		"action": {"Deny": true, "Warn": true, "Audit": true, "Off": true, "Exempt": true}, "why": {"overload": true, "panic": true, "malformed": true, "unready": true, "failed": true},
	}
	for _, k := range mesh.Kinds() {
		known["kind"][k.String()] = true
	}
	for _, s := range policies.Severities {
		known["severity"][string(s)] = true
	}
	for _, c := range policies.Checks() {
		known["check"][c.ID] = true
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 4 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				if !known[label.GetName()][label.GetValue()] {
					t.Errorf("%s{%s=%q}", family.GetName(), label.GetName(), label.GetValue())
				}
			}
		}
	}
}

// marker stands wherever an object can hold a secret.
const marker = "s3cr3t-m4rk3r"

// TestLog: one line for every decision, which names who and what, and nothing that is in an object.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o := repairing(t)
	o.Log, o.Observe = logr.FromSlogHandler(log.Handler()), LogTo(log)
	o.Get = func(context.Context, mesh.Kind, string, string) (*mesh.Object, error) {
		return nil, errors.New("no connection")
	}
	a := New(o)
	secret := content(t, strings.NewReplacer("[DELETE]", "["+marker+"]", "no-op,", "no-op, annotations: {a: "+marker+"},").Replace(noOp))
	broken := content(t, noOp)
	broken["spec"] = map[string]any{"rules": marker, "action": marker, "selector": []any{marker}}
	for _, c := range []struct {
		request *admissionv1.AdmissionRequest
		mutate  bool
	}{
		{request(t, admissionv1.Create, secret, nil), false}, {request(t, admissionv1.Create, secret, nil), true}, {request(t, admissionv1.Create, broken, nil), false},
		{request(t, admissionv1.Update, secret, secret), false}, {request(t, admissionv1.Delete, nil, secret), false},
	} {
		out.Reset()
		h := a.Validating()
		if c.mutate {
			h = a.Mutating()
		}
		answer(t, h, c.request)
		decisions := 0
		for line := range strings.Lines(out.String()) {
			var parts map[string]any
			if err := json.Unmarshal([]byte(line), &parts); err != nil {
				t.Fatal(err)
			}
			if parts["msg"] == "admission" {
				decisions++
				if parts["name"] != "no-op" || parts["namespace"] != "shop" || parts["user"] != "ann" || parts["request"] != "request" || parts["kind"] != "AuthorizationPolicy" {
					t.Errorf("it does not name the request: %s", line)
				}
			}
		}
		if decisions != 1 || strings.Contains(out.String(), marker) {
			t.Errorf("%d decisions in\n%s", decisions, out.String())
		}
	}
}

// recorder keeps Events as it is given them.
type recorder []string

func (r *recorder) Eventf(regarding, _ runtime.Object, kind, reason, action, note string, args ...any) {
	o := regarding.(*corev1.ObjectReference)
	text := fmt.Sprintf(note, args...)
	if len(text) > maxNote {
		text = fmt.Sprintf("%d bytes", len(text))
	}
	*r = append(*r, fmt.Sprintf("%s %s %s %s %s/%s: %s", kind, reason, action, o.Kind, o.Namespace, o.Name, text))
}

// TestEvents: an Event for what somebody ought to see, and none for what was only tried or has no name.
func TestEvents(t *testing.T) {
	yes := true
	dry := creates(t, noOp)
	dry.DryRun = &yes
	unnamed := content(t, strings.Replace(noOp, "name: no-op", "generateName: no-op-", 1))
	named := request(t, admissionv1.Create, content(t, noOp), nil)
	named.Name = ""
	glass := request(t, admissionv1.Create, set(content(t, noOp), "annotations", map[string]any{policies.BreakGlassAnnotation: "INC-7"}), nil)
	const said = "it does 100% nothing. Do better. [test/reports]"
	denied := "Warning Denied Admission AuthorizationPolicy shop/no-op: " + said
	for name, c := range map[string]struct {
		request *admissionv1.AdmissionRequest
		action  v1alpha1.Action
		want    recorder
	}{
		"denied":                     {creates(t, noOp), v1alpha1.Deny, recorder{denied}},
		"a dry run":                  {dry, v1alpha1.Deny, nil},
		"warned":                     {creates(t, noOp), v1alpha1.Warn, recorder{"Warning Ineffective Admission AuthorizationPolicy shop/no-op: " + said}},
		"audited":                    {creates(t, noOp), v1alpha1.Audit, nil},
		"no name yet":                {request(t, admissionv1.Create, unnamed, nil), v1alpha1.Deny, nil},
		"a name by the API server":   {named, v1alpha1.Deny, recorder{denied}},
		"let through by break-glass": {glass, v1alpha1.Deny, recorder{"Warning BreakGlass Admission AuthorizationPolicy shop/no-op: ann was let through by break-glass: INC-7", "Warning DeniedButBrokenGlass Admission AuthorizationPolicy shop/no-op: " + said}},
	} {
		t.Run(name, func(t *testing.T) {
			var got recorder
			o := options(snapshot(t, shop), rulebookOf(t, reporting(policies.Finding{Field: "spec", Message: "it does 100% nothing."}), []*v1alpha1.Guardrail{guardrail(c.action, "")}))
			o.MayBreakGlass = func(context.Context, authenticationv1.UserInfo) (bool, error) { return true, nil }
			o.Observe = EventTo(&got)
			answer(t, New(o).Validating(), c.request)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	var got recorder
	o := repairing(t)
	o.Observe = EventTo(&got)
	answer(t, New(o).Mutating(), creates(t, noOp))
	if len(got) != 1 || !strings.HasPrefix(got[0], "Normal Repaired Admission AuthorizationPolicy shop/no-op: bind the policy") {
		t.Errorf("a repair: %q", got)
	}
}
