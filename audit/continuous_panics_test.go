package audit

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestPanicsAreTold: it is said which check panics, about what and why, also where that begins when everything is judged anew; and the
// other checks are asked all the same.
func TestPanicsAreTold(t *testing.T) {
	now := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	why := "an impossible state"
	checks := []*policies.Check{
		{ID: "acme/wrong", Title: "Wrong", Severity: policies.High, Kinds: []mesh.Kind{mesh.Service}, Run: func(p *policies.Pass) {
			if p.Object.Name != "pages" {
				panic(why)
			}
		}},
		{ID: "acme/right", Title: "Right", Severity: policies.High, Kinds: []mesh.Kind{mesh.Service}, Run: func(p *policies.Pass) {
			p.Report(policies.Finding{Message: "it is found."})
		}},
	}
	rules := &Authored{}
	rules.Rulebook, rules.Problems = decide.New(decide.Options{Checks: checks}, nil, nil)
	var told []string
	c := NewContinuous(ContinuousOptions{Clock: clocktesting.NewFakeClock(now), Authored: func() *Authored { return rules },
		Panicked: func(p Panic, o mesh.Ref) { told = append(told, p.Check+" of "+o.String()+": "+p.Value) }})
	object := func(kind, namespace, name string) *mesh.Object {
		o, err := mesh.Decode(map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"namespace": namespace, "name": name}, "spec": map[string]any{}})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	tells := func(when string, want ...string) {
		t.Helper()
		slices.Sort(told)
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("%s (-want +told):\n%s", when, diff)
		}
		told = nil
	}
	s := mesh.New(mesh.Options{}, object("Namespace", "", "shop"), object("Service", "shop", "cart"), object("Service", "shop", "pages"), object("Service", "shop", "till"))
	c.audit(s)
	tells("at first", "acme/wrong of Service shop/cart: an impossible state", "acme/wrong of Service shop/till: an impossible state")
	c.audit(s)
	tells("of nothing new")
	why = "another one"
	c.verify()
	tells("verified", "acme/wrong of Service shop/cart: another one", "acme/wrong of Service shop/till: another one")
	if found := c.places.found("shop"); len(found.Records) != 3 || found.Failed != 2 {
		t.Errorf("%d findings and %d errors, want 3 and 2", len(found.Records), found.Failed)
	}
}
