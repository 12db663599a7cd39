package plan

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// saying is a Gateway that is not ready, with what the controller says on it: what is to be bound to it.
func saying(gw *mesh.Object, awaited []mesh.Ref) *mesh.Object {
	content := manifestOf(gw)
	content["status"] = map[string]any{"conditions": []any{
		map[string]any{"type": mesh.AsPlannedCondition, "status": "False", "reason": "Waiting", "message": "no pod"},
		map[string]any{"type": mesh.AwaitedCondition, "status": "True", "reason": "ToBeBound", "message": mesh.FormatAwaited(awaited)},
	}}
	out := decode(content)
	out.Live, out.UID = true, gw.UID
	return out
}

// TestAwaited: what is to be bound to a waypoint is said until it is bound, or somebody has to decide before it is.
func TestAwaited(t *testing.T) {
	const (
		deny   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: deny, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {principals: [cluster.local/ns/dev/sa/dev]}}]}]}}`
		theirs = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: waywarden-twin-deny.cart, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}]}}`
	)
	unready := func(e *Evidence) { e.Waypoints[RefOf(mesh.Gateway, "shop", "waypoint")] = Serving{Why: "no pod"} }
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}}}
	for name, tc := range map[string]struct {
		more     []string
		steps    int
		evidence func(*Evidence)
		want     []string
	}{
		"nothing is made":           {evidence: unready, want: []string{"Namespace shop"}},
		"the Gateway is not ready":  {steps: 1, evidence: unready, want: []string{"Namespace shop"}},
		"the Gateway is ready":      {steps: 1, want: []string{"Namespace shop"}},
		"it is bound":               {steps: 2},
		"not ready, and it stopped": {more: []string{podsOf("cart"), deny, theirs}, steps: 1, evidence: unready, want: []string{"Namespace shop"}},
		"ready, and it stopped":     {more: []string{podsOf("cart"), deny, theirs}, steps: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed := two(tc.more...).Snapshot, Managed{}
			for range tc.steps {
				s, managed = taken(s, managed, Next(worldOf(s, managed, settings, nil)).Steps()[0])
			}
			p := Next(worldOf(s, managed, settings, tc.evidence))
			var got []string
			for _, ref := range p[0].Awaited {
				got = append(got, ref.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v", diff, says(p))
			}
		})
	}
}

// TestPendingStaysNeeded: that a policy is Pending because its waypoint is being made takes none of the needs away, be it known to be ours or
// not, as from files. Where it is ours the plan is the same to the letter.
func TestPendingStaysNeeded(t *testing.T) {
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}}}
	s, managed := two().Snapshot, Managed{}
	s, managed = taken(s, managed, Next(worldOf(s, managed, settings, nil)).Steps()[0])
	gw := s.Get(mesh.Gateway, "shop", "waypoint")
	s = s.With(saying(gw, nil))
	said := s.With(saying(gw, Next(worldOf(s, managed, settings, nil))[0].Awaited))
	pending := 0
	for o := range said.Objects() {
		for _, e := range policies.Effects(said, o) {
			if e.Awaits() {
				pending++
			}
		}
	}
	if pending == 0 {
		t.Fatal("nothing is pending")
	}
	before, after := Make(policies.NewView(s), settings, managed), Make(policies.NewView(said), settings, managed)
	written := func(p Plan) string {
		out, err := json.MarshalIndent(p, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if diff := cmp.Diff(written(before), written(after)); diff != "" {
		t.Errorf("(-without a status +with):\n%s", diff)
	}
	named := func(view *policies.View) (out []string) {
		needs, _ := search(view, newHypotheses(view.Snapshot), nil, nil)
		for _, n := range needs {
			out = append(out, fmt.Sprint(n.Policy, " for ", n.Target))
		}
		return out
	}
	if diff := cmp.Diff(named(withoutOurs(policies.NewView(s), managed)), named(policies.NewView(said))); diff != "" {
		t.Errorf("(-known to be ours +not known):\n%s", diff)
	}
}

// TestAwayIsSaid: whoever waits for a proxy that is not there says which one.
func TestAwayIsSaid(t *testing.T) {
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}}}
	s, managed := two().Snapshot, Managed{}
	for range 2 { // the Gateway, the label
		s, managed = taken(s, managed, Next(worldOf(s, managed, settings, nil)).Steps()[0])
	}
	p := Next(worldOf(s, managed, settings, func(e *Evidence) { e.Acknowledged, e.Away = e.Since, "ztunnel-a is away" }))
	compare(t, p, "shop/waypoint: waits make-binding: not every ztunnel and waypoint has acknowledged it: ztunnel-a is away")
}
