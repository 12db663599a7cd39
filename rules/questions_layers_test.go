package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestWaitsFor: a rule can say that another object would end what it finds.
func TestWaitsFor(t *testing.T) {
	p := pack(t, map[string]string{
		"x": `deny contains {"msg": "m", "waitsFor": {"kind": "AuthorizationPolicy", "namespace": "shop"}} if input.object.spec`,
		"y": `deny contains {"msg": "m", "waitsFor": {"kind": "Pot"}} if input.object.spec`,
	})
	view, found := asked(t, p, policies.Occasion{}, denyPolicy)
	want := []policies.Wait{{Object: &mesh.Ref{APIVersion: "security.istio.io/v1", Kind: "AuthorizationPolicy", Namespace: "shop"}}}
	if len(found) != 1 || len(view.TakeFailures()) != 1 {
		t.Fatalf("want a finding and a failure, got %v", found)
	}
	if diff := cmp.Diff(want, found[0].WaitsFor, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

const standing = denyPolicy + `---
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec: {template: {metadata: {labels: {app: cart}}, spec: {serviceAccountName: cart}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: cart-1, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: cart, uid: a}]}
spec: {template: {metadata: {labels: {app: cart}}, spec: {serviceAccountName: cart}}}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1-a, namespace: shop, labels: {app: cart}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: cart-1, uid: b}]}
spec: {serviceAccountName: cart}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: shop, labels: {app: db}, ownerReferences: [{apiVersion: db.example.com/v1, kind: Cluster, name: db, uid: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: shop, labels: {app: db}, ownerReferences: [{apiVersion: db.example.com/v1, kind: Cluster, name: db, uid: c}]}
---
apiVersion: v1
kind: Service
metadata: {name: all, namespace: shop}
spec: {selector: {app: db}, ports: [{port: 80}]}
`

// TestStanding: each workload has one object that stands for it, however many replicas there are.
func TestStanding(t *testing.T) {
	p := pack(t, map[string]string{"x": `deny contains {"msg": sprintf("%s: %v", [o, names])} if {
	some o in ["Deployment/cart", "ReplicaSet/cart-1", "Pod/cart-1-a", "Pod/db-0", "Pod/db-1", "Service/all", "Service/none", "Namespace/shop"]
	[kind, name] := split(o, "/")
	names := [sprintf("%s/%s as %s", [w.kind, w.name, w.serviceAccount]) | some w in mesh.workloads_of(kind, "shop", name)]
	count(names) > 0
}

deny contains {"msg": sprintf("as cart: %v", [[w.name | some w in mesh.workloads_as("shop", "cart")]])} if input.object.spec`})
	view, found := asked(t, p, policies.Occasion{}, standing)
	var got []string
	for _, f := range found {
		got = append(got, f.Message)
	}
	want := []string{
		`Deployment/cart: ["Deployment/cart as cart"]`,
		`Namespace/shop: ["Pod/ as default"]`,
		`Pod/db-0: ["Pod/db-0 as default"]`,
		`Service/all: ["Pod/db-0 as default", "Pod/db-1 as default"]`,
		`as cart: ["cart-1-a"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" || len(view.TakeFailures()) > 0 {
		t.Error(diff)
	}
}
