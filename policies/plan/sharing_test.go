package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// sharing is the mesh in which namespaces shop and pay share a waypoint in namespace edge, and guards are asked for.
func sharing(t *testing.T) (*mesh.Snapshot, Managed, Settings) {
	t.Helper()
	const pods = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: NS}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
	const allow = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: who, namespace: pay}, spec: {selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [front]}}]}]}}`
	shared := Setting{Mode: Provision, Bypass: Guard, Profile: Profile{Name: "default", Granularity: Shared, SharedNamespace: "edge"}}
	settings := Settings{Namespaces: map[string]Setting{"shop": shared, "edge": shared, "pay": shared}}
	s, managed := two(strings.Replace(pods, "NS", "shop", 1), strings.Replace(pods, "NS", "pay", 1), allow).Snapshot, Managed{}
	for range 40 {
		steps := Next(worldOf(s, managed, settings, nil)).Steps()
		if len(steps) == 0 {
			return s, managed, settings
		}
		s, managed = taken(s, managed, steps[0])
	}
	t.Fatal("it does not come to rest")
	return nil, nil, Settings{}
}

// TestLeavesShared: a namespace that gets a waypoint of its own is let attach to the shared one until its label has moved and every
// proxy knows; at its pods both waypoints are let in, by policies of different names.
func TestLeavesShared(t *testing.T) {
	s, managed, settings := sharing(t)
	settings.Namespaces["pay"] = Setting{Mode: Provision, Bypass: Guard, Profile: Profile{Name: "own"}}
	pay := RefOf(mesh.Namespace, "", "pay")
	attached := func() bool { return slices.Contains(letIn(s.Get(mesh.Gateway, "edge", "waypoint")), "pay") }
	// moved is whether the label has; knows, whether every proxy knows that.
	moved, knows := false, false
	for range 40 {
		steps := Next(worldOf(s, managed, settings, func(e *Evidence) {
			if moved && !knows {
				e.Written = map[mesh.Ref]time.Time{pay: noon}
			}
		})).Steps()
		if len(steps) == 0 && moved && !knows {
			knows = true
			continue
		}
		if len(steps) == 0 {
			break
		}
		s, managed = taken(s, managed, steps[0])
		moved = find(s, pay).Labels[label.IoIstioUseWaypointNamespace.Name] == ""
		if !attached() && !knows {
			t.Fatalf("%s %s: namespace pay is let attach no more, moved: %v", steps[0].Row, steps[0].Object, moved)
		}
	}
	if !knows || attached() {
		t.Errorf("namespace pay has left: %v, and is let attach: %v", knows, attached())
	}
	guard := find(s, guardOf(RefOf(mesh.Service, "pay", "cart")))
	if guard == nil {
		t.Fatal("there is no guard")
	}
	if got, want := guard.Spec.(*mesh.AuthorizationPolicySpec).Rules[0].From[0].Source.NotPrincipals, []string{"cluster.local/ns/edge/sa/waypoint", "cluster.local/ns/pay/sa/waypoint"}; !slices.Equal(got, want) {
		t.Errorf("the guard lets in %v", got)
	}
	for _, name := range []string{"waywarden-admit-edge.waypoint-cart", "waywarden-admit-waypoint-cart"} {
		if s.Get(mesh.AuthorizationPolicy, "pay", name) == nil {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestLeftAllowIsTold: an ALLOW of ours for a waypoint that its Service has left, and that others use, is told of where it is the last
// over the pods: nobody gets in.
func TestLeftAllowIsTold(t *testing.T) {
	s, managed, settings := sharing(t)
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "who"))
	s = s.With(labelled(s.Get(mesh.Service, "pay", "cart"), map[string]string{label.IoIstioUseWaypoint.Name: "none"}))
	for range 10 {
		steps := Next(worldOf(s, managed, settings, nil)).Steps()
		if len(steps) == 0 {
			break
		}
		s, managed = taken(s, managed, steps[0])
	}
	got := says(Next(worldOf(s, managed, settings, nil)))
	if !slices.ContainsFunc(got, func(text string) bool {
		return strings.Contains(text, "stopped remove-admission: AuthorizationPolicy pay/waywarden-admit-edge.waypoint-cart stays: it is the last ALLOW")
	}) {
		t.Errorf("got %q", got)
	}
}
