package audit

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
)

// TestIneffectiveExample holds what the README says of the example: istioctl analyze says nothing
// about eight policies that do nothing, or the wrong thing, and we name each of them, and nothing else.
func TestIneffectiveExample(t *testing.T) {
	r := Scan(read(t, "../examples/ineffective.yaml"), Options{})
	type said struct {
		Verdict policies.Verdict
		Reason  string
		Check   string
		Line    int
	}
	want := map[string]said{
		"AuthorizationPolicy boutique/allow-get":    {policies.DeniesAll, policies.UnsupportedValue, "effect/l7-allow-denies-all", 58},
		"AuthorizationPolicy boutique/deny-admin":   {policies.NotEnforced, policies.UnsupportedValue, "effect/l7-deny-no-op", 74},
		"AuthorizationPolicy boutique/deny-delete":  {policies.NotEnforced, policies.AncestorNotBound, "effect/target-not-bound", 85},
		"AuthorizationPolicy boutique/deny-put":     {policies.NotEnforced, policies.TargetNotFound, "effect/target-not-found", 102},
		"AuthorizationPolicy boutique/audit-writes": {policies.NotEnforced, policies.UnsupportedValue, "effect/action-needs-waypoint", 117},
		"RequestAuthentication boutique/customers":  {policies.NotEnforced, policies.NeedsTargetRefs, "effect/jwt-needs-target-refs", 133},
		"VirtualService boutique/cart":              {policies.NotEnforced, policies.AncestorNotBound, "effect/traffic-without-waypoint", 147},
		"HTTPRoute boutique/cart-beta":              {policies.NotEnforced, policies.AncestorNotBound, "effect/traffic-without-waypoint", 163},
	}
	got := map[string]said{}
	for _, f := range r.Findings {
		if f.Object.Kind == "" || f.Location == nil {
			t.Fatalf("a finding without an object or a place: %+v", f)
		}
		got[f.Object.String()] = said{Check: f.Check, Line: f.Location.Line, Verdict: f.Verdict}
	}
	for _, e := range r.Effects {
		s, named := got[e.Object.String()]
		if !named {
			t.Errorf("nothing is found about %s", e.Object)
		}
		if s.Verdict != e.Verdict {
			t.Errorf("%s: the finding says %s, the effect %s", e.Object, s.Verdict, e.Verdict)
		}
		s.Reason = e.Reason
		got[e.Object.String()] = s
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(r.Findings) != 8 || len(r.Effects) != 8 || r.Status(policies.High) != report.StatusFindings {
		t.Errorf("%d findings, %d effects, status %d; want 8 of each, and 1", len(r.Findings), len(r.Effects), r.Status(policies.High))
	}
}

// TestExamples reads all examples whole: an example with a mistake that is not meant would teach it.
func TestExamples(t *testing.T) {
	for _, path := range []string{"../examples", "../examples/shop", "../examples/bank"} {
		r := Scan(read(t, path), Options{})
		if len(r.Errors) > 0 || len(r.Unread) > 0 {
			t.Errorf("%s: %+v", path, r.Errors)
		}
		for _, e := range r.Effects {
			if e.Verdict == policies.Unknown {
				t.Errorf("%s: %s at %s cannot be judged: %s", path, e.Object, e.Target, e.Message)
			}
		}
	}
}
