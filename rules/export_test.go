package rules

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Unsieved is a Pack of which OPA is asked everything.
func Unsieved(p *Pack) *Pack {
	out := *p
	out.sieved = false
	out.plan()
	return &out
}

// Sifted is how many of the questions about an object are left to OPA, of how many.
func Sifted(p *Pack, view *policies.View, o *mesh.Object) (through, all int) {
	plan := p.plans[slot{o.Kind, view.Occasion.PhaseOr(), view.Occasion.Operation}]
	if plan == nil {
		return 0, 0
	}
	for _, q := range plan.asked {
		all += 1 + len(view.Occasion.Parameters.Of(q.rule.ID))
	}
	for _, a := range p.sift(sessionOf(view, p.remembered), plan, o) {
		if a.open {
			through++
		}
	}
	return through, all
}
