package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

const changedShop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: c, image: c}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: pay, namespace: shop}
spec: {selector: {matchLabels: {app: pay}}, template: {metadata: {labels: {app: pay}}, spec: {containers: [{name: c, image: c}]}}}
---
`

// TestPolicyChanges: the last STRICT and the last ALLOW are missed where they go, move or turn into something else, and not
// where another one is left.
func TestPolicyChanges(t *testing.T) {
	peer := func(name, spec string) string {
		return "{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: " + name + ", namespace: shop}, spec: " + spec + "}"
	}
	allow := func(metadata, spec string) string {
		return "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {namespace: shop, " + metadata + "}, spec: " + spec + "}"
	}
	const strict, ofCart, ofPay = "{mtls: {mode: STRICT}}", "selector: {matchLabels: {app: cart}}", "selector: {matchLabels: {app: pay}}"
	meshStrict := "{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: all, namespace: istio-system}, spec: " + strict + "}"
	const rules = "rules: [{from: [{source: {namespaces: [front]}}]}]"
	for name, c := range map[string]struct {
		stored, old, is string // is "" for one that is deleted
		want            []string
	}{
		"the last STRICT goes":              {"", peer("p", strict), "", []string{"change/strict-removed: Deployment shop/cart and Deployment shop/pay let in"}},
		"the mesh is STRICT":                {meshStrict, peer("p", strict), "", nil},
		"STRICT turns PERMISSIVE":           {meshStrict, peer("p", "{"+ofCart+", mtls: {mode: STRICT}}"), peer("p", "{"+ofCart+", mtls: {mode: PERMISSIVE}}"), []string{"change/strict-removed: Deployment shop/cart lets in"}},
		"PERMISSIVE moves to other pods":    {meshStrict, peer("p", "{"+ofCart+", mtls: {mode: PERMISSIVE}}"), peer("p", "{"+ofPay+", mtls: {mode: PERMISSIVE}}"), []string{"change/strict-removed: Deployment shop/pay lets in"}},
		"PERMISSIVE goes":                   {"", peer("p", "{mtls: {mode: PERMISSIVE}}"), "", nil},
		"the last ALLOW goes":               {"", allow("name: a", "{"+ofCart+", "+rules+"}"), "", []string{"change/last-allow: everybody who can reach Deployment shop/cart"}},
		"the default deny goes":             {"", allow("name: a", "{}"), "", []string{"change/last-allow: everybody who can reach Deployment shop/cart and Deployment shop/pay"}},
		"another ALLOW stays":               {allow("name: b", "{}"), allow("name: a", "{"+ofCart+", "+rules+"}"), "", nil},
		"ALLOW turns DENY":                  {"", allow("name: a", "{"+ofCart+", "+rules+"}"), allow("name: a", "{action: DENY, "+ofCart+", "+rules+"}"), []string{"change/last-allow: everybody who can reach Deployment shop/cart"}},
		"ALLOW moves to other pods":         {"", allow("name: a", "{"+ofCart+", "+rules+"}"), allow("name: a", "{"+ofPay+", "+rules+"}"), []string{"change/last-allow: everybody who can reach Deployment shop/cart"}},
		"ALLOW comes to be only tried":      {"", allow("name: a", "{"+ofCart+", "+rules+"}"), allow(`name: a, annotations: {istio.io/dry-run: "true"}`, "{"+ofCart+", "+rules+"}"), []string{"change/last-allow: everybody who can reach Deployment shop/cart"}},
		"an ALLOW that was only tried goes": {"", allow(`name: a, annotations: {istio.io/dry-run: "true"}`, "{"+ofCart+", "+rules+"}"), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			objects := func(manifests string) []*mesh.Object {
				out, err := scenario.Objects([]byte(manifests))
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			base := mesh.New(mesh.Options{}, objects(changedShop+c.stored)...)
			change := policies.Change{Old: objects(c.old)[0], After: policies.NewView(base)}
			change.Before = policies.NewView(base.With(change.Old))
			if c.is != "" {
				change.New = objects(c.is)[0]
				change.After = policies.NewView(base.With(change.New))
			}
			var got []string
			for _, f := range policies.EvaluateChange(policies.Checks(), &change) {
				got = append(got, f.Check+": "+f.Message)
			}
			if len(got) != len(c.want) || slices.ContainsFunc(c.want, func(w string) bool {
				return !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, w) })
			}) {
				t.Error(cmp.Diff(c.want, got))
			}
		})
	}
}
