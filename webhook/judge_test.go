package webhook

import (
	"context"
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// asked makes an Admission note what it asks the API server, which knows some objects.
type asked struct {
	stored  *mesh.Snapshot // nil where the API server does not answer
	got     []string
	mayWho  string // who may break the glass; "?" where nobody says
	mayAsks int
}

func (k *asked) of(o *Options) {
	o.Get = func(_ context.Context, kind mesh.Kind, namespace, name string) (*mesh.Object, error) {
		k.got = append(k.got, kind.String()+" "+namespace+"/"+name)
		if k.stored == nil {
			return nil, errors.New("the connection broke off")
		}
		return k.stored.Get(kind, namespace, name), nil
	}
	o.MayBreakGlass = func(_ context.Context, user authenticationv1.UserInfo) (bool, error) {
		k.mayAsks++
		if k.mayWho == "?" {
			return false, errors.New("the connection broke off")
		}
		return user.Username == k.mayWho, nil
	}
}

// with is the shop and more.
func with(t testing.TB, manifests ...string) *mesh.Snapshot {
	t.Helper()
	return snapshot(t, strings.Join(append([]string{shop}, manifests...), "\n---\n"))
}

const defaultDeny = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: default-deny, namespace: shop}
spec: {}
`

const cartAllow = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cart-allow, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/front]}}]}]
`

// TestLeftAlone: what changes nothing that decides, or belongs to istiod, is admitted, and nobody is asked about it; what
// only looks like that is judged.
func TestLeftAlone(t *testing.T) {
	bad := content(t, noOp)
	stored := func(o map[string]any) map[string]any { return set(o, "resourceVersion", "1") }
	service := content(t, "{apiVersion: v1, kind: Service, metadata: {name: w, namespace: shop, labels: {gateway.istio.io/managed: istio.io-mesh-controller, istio.io/use-waypoint: gone}}, spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}}")
	as := func(user string, r *admissionv1.AdmissionRequest) *admissionv1.AdmissionRequest {
		r.UserInfo.Username = user
		return r
	}
	leaving := func(o map[string]any) map[string]any { return set(o, "deletionTimestamp", "2026-11-01T00:00:00Z") }
	namespace := content(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint, env: prod}}}")
	out := content(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
	const cartService = "{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}}"
	claimed := set(content(t, cartService), "labels", map[string]any{"gateway.istio.io/managed": "istio.io-mesh-controller", "istio.io/use-waypoint": "none"})
	unbound := set(content(t, cartService), "labels", map[string]any{"istio.io/use-waypoint": "none"})
	const istiod = "system:serviceaccount:istio-system:istiod"
	edited := content(t, noOp)
	edited["spec"].(map[string]any)["action"] = "ALLOW"
	for name, c := range map[string]struct {
		request *admissionv1.AdmissionRequest
		alone   bool
	}{
		"a finalizer goes":                  {request(t, admissionv1.Update, bad, set(bad, "finalizers", []any{"a/b"})), true},
		"a status is written":               {request(t, admissionv1.Update, stored(bad), bad), true},
		"a finalizer goes on its way out":   {request(t, admissionv1.Update, leaving(bad), set(leaving(bad), "finalizers", []any{"a/b"})), true},
		"the spec changes on its way out":   {request(t, admissionv1.Update, leaving(bad), leaving(edited)), false},
		"a Namespace on its way out":        {request(t, admissionv1.Update, leaving(out), namespace), true},
		"the spec changes":                  {request(t, admissionv1.Update, bad, edited), false},
		"a label changes":                   {request(t, admissionv1.Update, set(bad, "labels", map[string]any{"a": "b"}), bad), false},
		"istiod's Service":                  {as(istiod, request(t, admissionv1.Create, service, nil)), true},
		"of another revision's istiod":      {as(istiod+"-1-30", request(t, admissionv1.Create, service, nil)), true},
		"istiod's Service changes":          {as(istiod, request(t, admissionv1.Update, service, set(service, "annotations", map[string]any{"a": "b"}))), true},
		"istiod's Service goes":             {as(istiod, request(t, admissionv1.Delete, nil, service)), true},
		"istiod writes somebody's Service":  {as(istiod, request(t, admissionv1.Update, unbound, content(t, cartService))), false},
		"a Service comes to be istiod's":    {request(t, admissionv1.Update, claimed, content(t, cartService)), false},
		"a Service that was claimed before": {request(t, admissionv1.Update, claimed, set(content(t, cartService), "labels", map[string]any{"gateway.istio.io/managed": "istio.io-mesh-controller"})), false},
		"one that is called istiod":         {as("system:serviceaccount:shop:istiod", request(t, admissionv1.Update, claimed, content(t, cartService))), false},
		"a policy that says istiod made it": {request(t, admissionv1.Create, set(bad, "labels", map[string]any{"gateway.istio.io/managed": "istio.io-mesh-controller"}), nil), false},
		"a namespace is emptied":            {as("system:serviceaccount:kube-system:namespace-controller", request(t, admissionv1.Delete, nil, content(t, defaultDeny))), true},
		"garbage is collected":              {as("system:serviceaccount:kube-system:generic-garbage-collector", request(t, admissionv1.Delete, nil, content(t, defaultDeny))), true},
		"somebody of a like name deletes":   {as("system:serviceaccount:shop:namespace-controller", request(t, admissionv1.Delete, nil, content(t, defaultDeny))), false},
		"a controller creates":              {as("system:serviceaccount:kube-system:namespace-controller", request(t, admissionv1.Create, bad, nil)), false},
	} {
		t.Run(name, func(t *testing.T) {
			g := guardrail(v1alpha1.Deny, "")
			g.Spec.Checks[0].MinSeverity = ""
			o := options(with(t, defaultDeny, bound), rulebook(t, []*v1alpha1.Guardrail{g}))
			var k asked
			k.of(&o)
			got := answer(t, New(o).Validating(), c.request)
			if c.alone && (!got.Allowed || len(got.Warnings) > 0 || len(k.got) > 0 || k.mayAsks > 0) {
				t.Errorf("allowed %v, %v %q, asked %v", got.Allowed, got.Result, got.Warnings, k.got)
			}
			if !c.alone && got.Allowed && len(got.Warnings) == 0 {
				t.Error("it is not judged")
			}
		})
	}
}

// TestConfirm: before a denial the API server is asked for what it rests on.
func TestConfirm(t *testing.T) {
	terminating := `{apiVersion: v1, kind: Namespace, metadata: {name: shop, deletionTimestamp: "2026-11-01T00:00:00Z", labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint, env: prod}}}`
	leaving := snapshot(t, strings.Join([]string{strings.Replace(shop, "metadata: {name: shop,", `metadata: {name: shop, deletionTimestamp: "2026-11-01T00:00:00Z",`, 1), defaultDeny}, "\n---\n"))
	deletion := request(t, admissionv1.Delete, nil, content(t, defaultDeny))
	for name, c := range map[string]struct {
		seen, stored *mesh.Snapshot
		request      *admissionv1.AdmissionRequest
		allowed      bool
		asks         []string
	}{
		"a namespace that terminates": {seen: with(t, defaultDeny), stored: snapshot(t, terminating), request: deletion, allowed: true, asks: []string{"Namespace /shop"}},
		"a namespace that stays":      {seen: with(t, defaultDeny), stored: with(t), request: deletion, asks: []string{"Namespace /shop"}},
		"known to terminate":          {seen: leaving, request: deletion, allowed: true},
		"made where all goes":         {seen: leaving, request: creates(t, noOp)},
		"nobody answers":              {seen: with(t, defaultDeny), request: deletion, asks: []string{"Namespace /shop"}},
		"nothing to ask about":        {seen: with(t), stored: with(t), request: creates(t, noOp)},
	} {
		t.Run(name, func(t *testing.T) {
			g := guardrail(v1alpha1.Deny, "")
			g.Spec.Checks[0].MinSeverity = ""
			o := options(c.seen, rulebook(t, []*v1alpha1.Guardrail{g}))
			k := asked{stored: c.stored}
			k.of(&o)
			got := answer(t, New(o).Validating(), c.request)
			if got.Allowed != c.allowed {
				t.Errorf("allowed %v: %v %q", got.Allowed, got.Result, got.Warnings)
			}
			if diff := cmp.Diff(c.asks, k.got); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// TestConfirmAbsent: a denial that rests on an absent object is taken back when the object is found, and only then.
func TestConfirmAbsent(t *testing.T) {
	absent := strings.Replace(noOp, "selector: {matchLabels: {app: cart}}", `targetRefs: [{group: "", kind: Service, name: late}]`, 1)
	late := "{apiVersion: v1, kind: Service, metadata: {name: late, namespace: shop}, spec: {clusterIP: 10.96.0.11, selector: {app: late}, ports: [{name: http, port: 80}]}}"
	for name, c := range map[string]struct {
		stored  *mesh.Snapshot
		allowed bool
	}{"found": {with(t, late), true}, "not there": {with(t), false}, "no answer": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			o := denying(t, reportingAbsent()...)
			k := asked{stored: c.stored}
			k.of(&o)
			got := answer(t, New(o).Validating(), creates(t, absent))
			if got.Allowed != c.allowed || !cmp.Equal(k.got, []string{"Service shop/late"}) {
				t.Errorf("allowed %v, asked %v", got.Allowed, k.got)
			}
		})
	}
}

// reportingAbsent is a check that finds every Service that a policy names and that is not there.
func reportingAbsent() []*policies.Check {
	return []*policies.Check{{ID: "test/absent", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Run: func(p *policies.Pass) {
		for _, ref := range p.Object.Spec.(interface{ Attachment() mesh.Attachment }).Attachment().Refs() {
			if p.Get(mesh.Service, p.Object.Namespace, ref.Name) == nil {
				p.Report(policies.Finding{Field: "spec.targetRefs", Message: "it binds to nothing."})
			}
		}
	}}}
}

// TestBreakGlass goes through who asks to be let through, and how.
func TestBreakGlass(t *testing.T) {
	annotated := func(o map[string]any, reason string) map[string]any {
		return set(o, "annotations", map[string]any{policies.BreakGlassAnnotation: reason})
	}
	long := strings.Repeat("why ", 5000)
	for name, c := range map[string]struct {
		request  *admissionv1.AdmissionRequest
		may      string
		allowed  bool
		asks     int
		warns    string
		recorded string
	}{
		"nobody asks":        {request: creates(t, noOp), may: "ann"},
		"may":                {request: request(t, admissionv1.Create, annotated(content(t, noOp), "INC-7:\nfire"), nil), may: "ann", allowed: true, asks: 1, warns: "admitted by break-glass (INC-7: fire), although Guardrails deny it", recorded: "INC-7: fire"},
		"may not":            {request: request(t, admissionv1.Create, annotated(content(t, noOp), "INC-7"), nil), may: "bob", asks: 1, warns: "you may not"},
		"nobody says":        {request: request(t, admissionv1.Create, annotated(content(t, noOp), "INC-7"), nil), may: "?", asks: 1, warns: "did not say whether you may"},
		"no reason":          {request: request(t, admissionv1.Create, annotated(content(t, noOp), " \n\u0085"), nil), may: "ann", warns: "it gives no reason"},
		"a very long reason": {request: request(t, admissionv1.Create, annotated(content(t, noOp), long), nil), may: "ann", allowed: true, asks: 1, warns: "admitted by break-glass", recorded: whole(long, maxReason)},
		"nothing to break":   {request: request(t, admissionv1.Create, annotated(content(t, cartAllow), "INC-7"), nil), may: "ann", allowed: true},
		"a deletion":         {request: request(t, admissionv1.Delete, nil, annotated(content(t, defaultDeny), "INC-7")), may: "ann", allowed: true, asks: 1, warns: "admitted by break-glass", recorded: "INC-7"},
	} {
		t.Run(name, func(t *testing.T) {
			g := guardrail(v1alpha1.Deny, "")
			if name == "a deletion" {
				g.Spec.Checks[0].MinSeverity = ""
			}
			o := options(with(t, defaultDeny), rulebook(t, []*v1alpha1.Guardrail{g}))
			k := asked{stored: with(t), mayWho: c.may}
			k.of(&o)
			got := answer(t, New(o).Validating(), c.request)
			if got.Allowed != c.allowed || k.mayAsks != c.asks || !strings.Contains(strings.Join(got.Warnings, "\n"), c.warns) || got.AuditAnnotations["break-glass"] != c.recorded {
				t.Errorf("allowed %v, asked %d times, %q, %v %v", got.Allowed, k.mayAsks, got.Warnings, got.AuditAnnotations, got.Result)
			}
			fits(t, got.Warnings)
		})
	}
}
