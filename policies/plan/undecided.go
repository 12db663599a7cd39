package plan

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// BlockedCheck is the ID of what [Plan.Findings] finds.
const BlockedCheck = "waypoint/blocked"

// What a plan does not meet depends on who has waypoints made, which Guardrails say and no object of a mesh does. So this is not asked, and
// [Plan.Findings] says it.
var blockedNeed = policies.Register(policies.Check{
	ID:       BlockedCheck,
	Title:    "A policy for which no waypoint is made without somebody's decision",
	Severity: policies.Medium,
	About:    "Policy",
	Controls: policies.Controls{"nist-800-53-r5": {"CM-3"}, "soc2": {"CC8.1"}, "iso-27001-2022": {"A.8.32"}},
	Doc: `A Guardrail has waypoints made (mode: Provision), and there is none by which this policy could take effect: its target asks for no waypoint or for
one that nobody can run, or with one something else would let in or deny what it does not now. Nothing is bound, and the policy does nothing
until somebody decides.`,
	Remedy: "Do what the message says, or take the policy away if it is not meant.",
})

// Undecided are the needs that the plan does not meet, of targets in namespaces for which waypoints are made: each once.
func (p *Plan) Undecided(s Settings) []Blocked {
	out := slices.DeleteFunc(slices.Clone(p.Blocked), func(b Blocked) bool { return s.Of(b.Home()).Mode != Provision })
	bound := map[mesh.Ref]bool{}
	for _, l := range p.Labels {
		for _, svc := range l.Binds {
			bound[canonical(svc)] = true
		}
	}
	for i := range out {
		out[i].Bound = bound[canonical(targetRef(out[i].Target))]
	}
	return slices.CompactFunc(out, func(a, b Blocked) bool { return compareNeeds(a.Need, b.Need) == 0 })
}

// Home is the namespace of the target, by whose setting a waypoint is made for it or not.
func (b Blocked) Home() string { return home(targetRef(b.Target)) }

// Says is what a need that is blocked comes to, as a sentence.
func (b Blocked) Says() string {
	if b.Bound {
		return fmt.Sprintf("%s stays at its waypoint as it is bound, where not all is said that has to be: %s", b.Target, b.Why)
	}
	return fmt.Sprintf("no waypoint is made for %s: %s", b.Target, b.Why)
}

// Findings are the needs that the plan does not meet, for an audit, where waypoints are made. They are sorted.
func (p *Plan) Findings(s Settings) []policies.Finding {
	var out []policies.Finding
	for _, b := range p.Undecided(s) {
		target := targetRef(b.Target)
		f := policies.Finding{Check: blockedNeed.ID, Severity: blockedNeed.Severity, Verdict: b.Verdict, Remedy: blockedNeed.Remedy, Action: "Warn",
			Object: b.Policy, Field: b.Field, Message: b.Says(), Namespaces: []string{b.Home()}}
		if target.Compare(b.Policy) != 0 {
			f.Related = []mesh.Ref{target}
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, policies.CompareFindings)
	return out
}

// targetRef names the target of a need.
func targetRef(t policies.Target) mesh.Ref {
	out := mesh.Ref{Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}
	for _, kind := range []mesh.Kind{mesh.Namespace, mesh.Service, mesh.ServiceEntry, mesh.Gateway} {
		if kind.String() == t.Kind {
			out.APIVersion = kind.APIVersion()
		}
	}
	return out
}
