package plan

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// TestForesee: what is said of each policy by planning for its namespace is what the plan of the whole mesh says of it, before anything
// is made and when all is.
func TestForesee(t *testing.T) {
	said := 0
	compare := func(t *testing.T, s *mesh.Snapshot, settings Settings, managed Managed) Plan {
		view := policies.NewView(s)
		whole := Make(view, settings, managed)
		for _, ns := range slices.Sorted(s.Namespaces()) {
			part, ok := Foresee(view, settings, managed, []string{ns}, func() bool { return false })
			if !ok {
				t.Fatal("it is broken off")
			}
			for o := range policiesOf(s, []string{ns}) {
				want := saidOf(&whole, o.Ref())
				if said += len(want); cmp.Diff(want, saidOf(&part, o.Ref())) != "" {
					t.Errorf("%s (-whole +part):\n%s", o, cmp.Diff(want, saidOf(&part, o.Ref())))
				}
			}
		}
		return whole
	}
	shared := Setting{Mode: Provision, Profile: Profile{Name: "default", Granularity: Shared, SharedNamespace: "istio-system"}}
	scenarios(t, func(t *testing.T, cs scenario.Case) string {
		for _, settings := range []Settings{{}, {Default: Setting{Mode: Provision, Bypass: Guard}}, {Default: Setting{Mode: Provision, Profile: Profile{Granularity: PerService}}}, {Default: shared}} {
			p := compare(t, cs.Snapshot, settings, nil)
			if settings.Default.Mode == Provision {
				s, managed := carriedOut(cs.Snapshot, p)
				compare(t, s, settings, managed)
			}
		}
		return ""
	})
	if said < 200 {
		t.Errorf("only %d things are said of policies", said)
	}
}

// saidOf is what a plan says of a policy.
func saidOf(p *Plan, policy mesh.Ref) []string {
	var out []string
	for _, w := range p.Waypoints {
		for _, n := range w.Needs {
			if n.Policy == policy {
				out = append(out, fmt.Sprintf("%s for %s", w.Ref(), n.Target))
			}
		}
	}
	for _, l := range p.Labels {
		if slices.ContainsFunc(l.Needs, func(n Need) bool { return n.Policy == policy }) {
			out = append(out, fmt.Sprintf("label on %s binds %v; guarded %v", l.On, l.Binds, guardedOf(p, l)))
		}
	}
	for _, b := range p.Blocked {
		if b.Policy == policy {
			out = append(out, fmt.Sprintf("%s: %s", b.Target, b.Why))
		}
	}
	return out
}

// guardedOf are the Services of a label that have a guard in a plan.
func guardedOf(p *Plan, l Label) []mesh.Ref {
	var out []mesh.Ref
	for i := range p.Policies {
		if own := &p.Policies[i]; own.Role == Guarding && slices.ContainsFunc(l.Binds, func(r mesh.Ref) bool { return canonical(r) == own.For[0] }) {
			out = append(out, own.For[0])
		}
	}
	return out
}

// TestForeseeBreaksOff: a plan that nobody waits for any more asks no further, wherever it is, and is none; one that is made in time is the
// same as without an end.
func TestForeseeBreaksOff(t *testing.T) {
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: Guard}}}
	want, ok := Foresee(two(), settings, nil, []string{"shop"}, nil)
	if !ok || len(want.Labels) == 0 {
		t.Fatal("nothing is planned")
	}
	for n := 1; ; n++ {
		asked := 0
		got, ok := Foresee(two(), settings, nil, []string{"shop"}, func() bool { asked++; return asked >= n })
		if ok {
			if asked >= n || n < 8 {
				t.Errorf("it was broken off at %d of %d, or is seldom asked", n, asked)
			}
			if diff := cmp.Diff(fmt.Sprintf("%+v", want.Labels), fmt.Sprintf("%+v", got.Labels)); diff != "" {
				t.Errorf("(-without an end +in time):\n%s", diff)
			}
			return
		}
		if asked != n || len(got.Waypoints)+len(got.Labels) > 0 {
			t.Fatalf("it goes on when its time is over: asked %d times, not %d; %v", asked, n, got.Labels)
		}
	}
}
