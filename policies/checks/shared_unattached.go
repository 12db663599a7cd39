package checks

import (
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// tell reports an effect in its own words.
func tell(p *policies.Pass, e policies.Effect, fixes ...policies.Fix) {
	message, remedy := parted(e)
	f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Message: message, Remedy: remedy, Fixes: fixes}
	if e.Verdict == policies.OverDenies && p.Check.Severity == policies.Critical {
		f.Severity = policies.High // it closes more than it should, and not everything
	}
	p.Report(f)
}

// parted parts an effect's message into consequence and cause, and remedy: the first sentence, and the rest.
func parted(e policies.Effect) (message, remedy string) {
	if message, remedy, ok := strings.Cut(e.Message, ". "); ok {
		return message + ".", remedy
	}
	return e.Message, ""
}

// atPods is whether an effect is of a policy without targetRefs on enrolled workloads: what ztunnel
// carries out, or would if it could.
func atPods(e policies.Effect) bool {
	return e.EnforcedBy == policies.Ztunnel || e.EnforcedBy == policies.Nobody && (e.Target.Kind == policies.ScopeSelector || e.Target.Kind == policies.ScopeNamespace || e.Target.Kind == policies.ScopeMesh)
}

// saving adds to the remedy of an ALLOW what can be saved without a waypoint: alternatives of a rule that
// ztunnel could compare, and that go with the rule.
func saving(e policies.Effect, spec *mesh.AuthorizationPolicySpec) policies.Effect {
	for i := range spec.Rules {
		if r := spec.Rules[i]; needsWaypoint(&r) && plainPart(r) {
			e.Message += " Give the alternatives in its \"to\" and \"from\" that ztunnel can compare a rule of their own: they are dropped with the others."
			break
		}
	}
	return e
}

// plainPart is whether a rule that ztunnel drops has alternatives that it could enforce.
func plainPart(r mesh.Rule) bool {
	to, from := len(r.To), len(r.From)
	for i := len(r.To) - 1; i >= 0; i-- {
		if needsWaypoint(&mesh.Rule{To: r.To[i : i+1]}) {
			r.To = slices.Concat(r.To[:i], r.To[i+1:])
		}
	}
	for i := len(r.From) - 1; i >= 0; i-- {
		if needsWaypoint(&mesh.Rule{From: r.From[i : i+1]}) {
			r.From = slices.Concat(r.From[:i], r.From[i+1:])
		}
	}
	return !needsWaypoint(&r) && (to == 0 || len(r.To) > 0) && (from == 0 || len(r.From) > 0)
}
