package webhook

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	rego "github.com/waywarden/waywarden/rules" // rules is a function here
)

// TestOrphaned: who gives an object an owner that is not there has the garbage collector delete it, and nobody is asked then.
// So that is judged as a deletion.
func TestOrphaned(t *testing.T) {
	owned := func(owners ...any) map[string]any { return set(content(t, defaultDeny), "ownerReferences", owners) }
	by := func(apiVersion, kind, name, uid string) any {
		return map[string]any{"apiVersion": apiVersion, "kind": kind, "name": name, "uid": uid}
	}
	gone, there := by("v1", "Service", "gone", "1"), by("v1", "Service", "cart", "1")
	live := snapshot(t, `{apiVersion: v1, kind: Service, metadata: {name: gone, namespace: shop, uid: "1"}, spec: {}}`)
	for name, c := range map[string]struct {
		object  map[string]any
		stored  *mesh.Snapshot // what the API server has besides
		allowed bool
		asks    int
	}{
		"an owner that is not there":             {object: owned(gone), asks: 1},
		"one that has come meanwhile":            {object: owned(gone), stored: live, allowed: true, asks: 1},
		"another object of its name":             {object: owned(by("v1", "Service", "uid", "2")), asks: 1},
		"an owner that is there":                 {object: owned(there), allowed: true},
		"one that is there, and one that is not": {object: owned(gone, there), allowed: true},
		"an owner of which nobody knows":         {object: owned(gone, by("example.com/v1", "App", "app", "1")), allowed: true},
		"a ConfigMap, of which few are kept":     {object: owned(by("v1", "ConfigMap", "settings", "1")), allowed: true},
		"one that it had":                        {object: set(owned(gone), "labels", map[string]any{"a": "b"}), allowed: true},
	} {
		t.Run(name, func(t *testing.T) {
			old := content(t, defaultDeny)
			if name == "one that it had" {
				old = owned(gone)
			}
			o := denying(t)
			s := with(t, defaultDeny, `{apiVersion: v1, kind: Service, metadata: {name: uid, namespace: shop, uid: "1"}, spec: {}}`)
			o.Snapshot = func() *mesh.Snapshot { return s }
			k := asked{stored: c.stored}
			k.of(&o)
			got := answer(t, New(o).Validating(), request(t, admissionv1.Update, c.object, old))
			if got.Allowed != c.allowed || !c.allowed && !strings.Contains(got.Result.Message, "the garbage collector would delete this, because its owner Service shop/") {
				t.Errorf("allowed %v: %v", got.Allowed, got.Result)
			}
			if len(k.got) != c.asks {
				t.Errorf("asked %q", k.got)
			}
		})
	}
}

const keepRego = `# METADATA
# title: A policy that is deleted
# description: Only who is on call deletes one.
# custom:
#   severity: high
#   match: {kinds: [AuthorizationPolicy.security.istio.io], phases: [admission], operations: [DELETE]}
#   params: {type: object, additionalProperties: false, properties: {callers: {type: array, items: {type: string}, default: [oncall], description: "who may delete"}}}
#   remediation: Keep it.
package acme.keep

deny contains {"msg": sprintf("%s deletes %s.", [input.user.username, input.old.metadata.name])} if {
	input.operation == "DELETE"
	not input.user.username in input.params.callers
}
`

const keepTxtar = `Who deletes.
-- mesh.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: default-deny, namespace: shop}
spec: {}
-- asked.yaml --
phase: admission
user: {username: alice}
-- bad-deleted.yaml --
$delete: true
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: default-deny, namespace: shop}
-- ok-created.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
spec: {}
`

// orphaning gives the default deny an owner that is not there.
func orphaning(t *testing.T) *admissionv1.AdmissionRequest {
	t.Helper()
	gone := map[string]any{"apiVersion": "v1", "kind": "Service", "name": "gone", "uid": "1"}
	return request(t, admissionv1.Update, set(content(t, defaultDeny), "ownerReferences", []any{gone}), content(t, defaultDeny))
}

// TestOrphanedAsDeleted: rules for deletions are asked as of a deletion by whoever names the owner, with the parameters of
// the Guardrail.
func TestOrphanedAsDeleted(t *testing.T) {
	pack, err := rego.Load(fstest.MapFS{"acme/keep.rego": {Data: []byte(keepRego)}, "acme/keep.txtar": {Data: []byte(keepTxtar)}}, rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const says = "the garbage collector would delete this, because its owner Service shop/gone is not there, and then: ann deletes default-deny."
	for params, allowed := range map[string]bool{"": false, `{"callers": ["bob"]}`: false, `{"callers": ["ann"]}`: true} {
		g := guardrail(v1alpha1.Deny, "")
		if g.Spec.Checks[0].IDs = []v1alpha1.CheckGlob{"acme/keep"}; params != "" {
			g.Spec.Checks[0].Params = &runtime.RawExtension{Raw: []byte(params)}
		}
		a := New(options(with(t, defaultDeny), rulebookOf(t, pack.Checks(), []*v1alpha1.Guardrail{g}))).Validating()
		if got := answer(t, a, request(t, admissionv1.Delete, nil, content(t, defaultDeny))); got.Allowed != allowed {
			t.Errorf("parameters %q: deleted: %v %v", params, got.Allowed, got.Result)
		}
		got := answer(t, a, orphaning(t))
		if got.Allowed != allowed || !allowed && !strings.Contains(got.Result.Message, says) {
			t.Errorf("parameters %q: orphaned: %v %v", params, got.Allowed, got.Result)
		}
	}
}

// TestOrphanedFailures: a rule that cannot be asked whether the object may go is never taken to let it go.
func TestOrphanedFailures(t *testing.T) {
	broken := &policies.Check{ID: "acme/broken", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Change: func(p *policies.ChangePass) {
		if p.New == nil {
			p.Fail("x.rego:9: divide by zero. Correct the rule.")
		}
	}}
	o := options(with(t, defaultDeny), rulebookOf(t, []*policies.Check{broken}, []*v1alpha1.Guardrail{guardrail(v1alpha1.Deny, "")}))
	w := post(New(o).Validating(), bodyOf(t, orphaning(t)))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "check acme/broken could not be asked") {
		t.Errorf("HTTP %d: %s", w.Code, w.Body)
	}
}
