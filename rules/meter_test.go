package rules

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestMeter: who counts hears once of each evaluation by OPA and of each rule that could not answer, and nothing of what a sieve answers.
func TestMeter(t *testing.T) {
	const (
		good    = `deny contains {"msg": "found"} if input.object.spec.action == "DENY"`
		other   = `deny contains {"msg": "found"} if input.object.spec.rules`
		byZero  = `deny contains {"msg": "m"} if 1 / count(object.get(input.object.metadata, "labels", {})) > 0`
		noMsg   = `deny contains {"path": "spec"} if input.object`
		forever = "deny contains {\"msg\": \"m\"} if {\n\tsome a in numbers.range(1, 10000)\n\tsome b in numbers.range(1, 10000)\n\ta * b == -1\n}"
	)
	for name, c := range map[string]struct {
		rules        map[string]string
		sieved       bool
		took, failed map[string]int
	}{
		"sieved":              {map[string]string{"good": good, "other": other}, true, map[string]int{}, map[string]int{}},
		"one is asked":        {map[string]string{"good": good}, false, map[string]int{"acme/good": 1}, map[string]int{}},
		"two are asked":       {map[string]string{"good": good, "other": other}, false, map[string]int{policies.Together: 1}, map[string]int{}},
		"one of them fails":   {map[string]string{"good": good, "bad": byZero}, false, map[string]int{policies.Together: 1, "acme/good": 1, "acme/bad": 1}, map[string]int{"acme/bad": 1}},
		"cannot be read":      {map[string]string{"good": good, "bad": noMsg}, false, map[string]int{policies.Together: 1}, map[string]int{"acme/bad": 1}},
		"runs out of time":    {map[string]string{"good": good, "bad": forever}, false, map[string]int{policies.Together: 1, "acme/good": 1, "acme/bad": 1}, map[string]int{"acme/bad": 1}},
		"a sieve has a limit": {map[string]string{"good": good, "bad": byZero}, true, map[string]int{"acme/bad": 1}, map[string]int{"acme/bad": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pack(t, c.rules)
			if !c.sieved {
				p = Unsieved(p)
			}
			p.budget = 50 * time.Millisecond
			took, failed := map[string]int{}, map[string]int{}
			asked(t, p, policies.Occasion{Meter: &policies.Meter{
				Took: func(rule string, d time.Duration) {
					took[rule]++
					if d <= 0 {
						t.Errorf("%s took %s", rule, d)
					}
				},
				Failed: func(f policies.Failure) { failed[f.Check]++ },
			}}, denyPolicy)
			if diff := cmp.Diff(c.took, took); diff != "" {
				t.Errorf("took (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.failed, failed); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMeterOfNobody: whoever wants to hear of neither is not called.
func TestMeterOfNobody(t *testing.T) {
	p := Unsieved(pack(t, map[string]string{"bad": `deny contains {"path": "spec"} if input.object`}))
	if view, _ := asked(t, p, policies.Occasion{Meter: &policies.Meter{}}, denyPolicy); len(view.TakeFailures()) != 1 {
		t.Error("no failure")
	}
}

// TestMeterAllocations: to be heard costs no memory.
func TestMeterAllocations(t *testing.T) {
	p := Unsieved(pack(t, map[string]string{"x": typical, "y": typical}))
	all := objectsOf(t, denyPolicy)
	checks, s := p.Checks(), mesh.New(mesh.Options{}, all...)
	heard := 0
	cost := func(m *policies.Meter) float64 {
		return testing.AllocsPerRun(100, func() {
			view := policies.NewView(s)
			view.Occasion.Meter = m
			policies.Evaluate(checks, view, all[0])
		})
	}
	without, with := cost(nil), cost(&policies.Meter{Took: func(string, time.Duration) { heard++ }})
	if with > without || heard == 0 {
		t.Errorf("%.0f allocations, %.0f where nobody hears; heard %d times", with, without, heard)
	}
}
