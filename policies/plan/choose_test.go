package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// asking is a Service cart of a namespace that asks for a waypoint by a label.
func asking(ns, name, in string) string {
	return `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: ` + ns + `, labels: {istio.io/use-waypoint: ` + name + `, istio.io/use-waypoint-namespace: ` + in + `}}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`
}

// TestLabelOpensNothing: a waypoint is neither opened nor made for another namespace that asks for it by a label. A profile that shares
// it lets it in, and whoever makes the Gateway himself.
func TestLabelOpensNothing(t *testing.T) {
	shared := Profile{Name: "default", Granularity: Shared, SharedNamespace: "edge"}
	const theirs = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: b, namespace: edge}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: FROM}}}]}, status: {}}`
	blocked := func(at, in string) string {
		return "blocked: Service pay/cart asks by a label for waypoint " + at + " of another namespace, and a label opens none: whoever can write it would let himself in. Correct the label, or have the profile of namespace pay share a waypoint in namespace " + in + ", or make one there that lets it attach."
	}
	shop := []string{"waypoint shop/waypoint istio-waypoint", "Namespace shop: waypoint"}
	for name, tc := range map[string]struct {
		pay  Setting
		more []string
		want []string
	}{
		"of another namespace": {Setting{Mode: Observe}, []string{asking("pay", "waypoint", "shop")}, append(slices.Clone(shop), blocked("shop/waypoint", "shop"))},
		"though both are provided for": {Setting{Mode: Provision}, []string{asking("pay", "waypoint", "shop")},
			append(slices.Clone(shop), blocked("shop/waypoint", "shop"))},
		"where there is none":      {Setting{Mode: Observe}, []string{asking("pay", "mine", "edge")}, append(slices.Clone(shop), blocked("edge/mine", "edge"))},
		"which the profile shares": {Setting{Mode: Provision, Profile: shared}, []string{asking("pay", "waypoint", "edge")}, append([]string{"waypoint edge/waypoint istio-waypoint for [edge pay]"}, shop...)},
		"whose owner lets it in": {Setting{Mode: Observe}, []string{asking("pay", "b", "edge"), strings.Replace(theirs, "FROM", "All", 1)},
			append([]string{"existing edge/b"}, shop...)},
		"whose owner does not": {Setting{Mode: Observe}, []string{asking("pay", "b", "edge"), strings.Replace(theirs, "FROM", "Same", 1)}, shop},
	} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}, "pay": tc.pay}}
			var objects []*mesh.Object
			for _, text := range tc.more {
				objects = append(objects, parse(text))
			}
			s := two().Snapshot.Edited(objects, nil)
			if diff := cmp.Diff(tc.want, outline(Make(policies.NewView(s), settings, nil))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLabelOpensNothingMade: nor is a waypoint of ours that is there. Who was let in by a profile stays so while it is bound.
func TestLabelOpensNothingMade(t *testing.T) {
	s, managed := done(t)
	s = s.With(parse(asking("pay", "waypoint", "shop")))
	compare(t, Next(worldOf(s, managed, onlyShop, nil)))

	shared, managed, settings := sharing(t)
	shared = shared.With(parse(asking("pay", "waypoint", "edge")))
	settings.Namespaces["pay"] = Setting{Mode: Observe}
	if got := letIn(decode(Make(policies.NewView(shared), settings, managed).Waypoints[0].Manifest)); !slices.Equal(got, []string{"edge", "pay", "shop"}) {
		t.Errorf("of those who are bound these are let in: %v", got)
	}
}

// TestLabelBesideOursOpensNothing: beside a label of ours somebody says that the waypoint is another namespace's.
func TestLabelBesideOursOpensNothing(t *testing.T) {
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}, "pay": {Mode: Provision}}}
	s, managed := carriedOut(two().Snapshot, Make(two(), settings, nil))
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7"))
	s = s.With(labelled(s.Get(mesh.Namespace, "", "pay"), map[string]string{label.IoIstioUseWaypointNamespace.Name: "shop"}))
	for _, w := range Make(policies.NewView(s), settings, managed).Waypoints {
		if got := letIn(decode(w.Manifest)); len(got) > 0 {
			t.Errorf("%s lets in %v", w.Ref(), got)
		}
	}
}
