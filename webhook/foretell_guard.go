package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// closed says which Services a plan closes to whoever does not come by the waypoint, which it does not although that is asked
// for, and whether any of them is closed before the waypoint serves: nobody is shut out unannounced.
func closed(p *plan.Plan, waypoint mesh.Ref) (out []string, before bool) {
	var held, guarded, excepted []string
	for _, own := range p.Policies {
		if own.Role != plan.Guarding || own.Waypoint != waypoint {
			continue
		}
		if undecided(p, own.For[0]) {
			continue // that is said of what is blocked
		}
		if own.Held != "" {
			held = append(held, own.For[0].String())
		}
		if !own.Temporary {
			guarded = append(guarded, own.For[0].String())
		}
		excepted = append(excepted, own.Excepted...)
	}
	slices.Sort(excepted)
	beside, but := "", ""
	if excepted = slices.Compact(excepted); len(excepted) > 0 {
		beside, but = " and "+strings.Join(excepted, ", "), " but "+strings.Join(excepted, ", ")
	}
	if len(held) > 0 {
		out = append(out, fmt.Sprintf("Nobody%s gets in at %s from shortly after this is stored until the waypoint serves: the Guardrail says pending: Guard, and it is agreed (%s), or no endpoint is ready.", but, strings.Join(held, ", "), plan.HoldAnnotation))
	}
	if len(guarded) > 0 {
		out = append(out, fmt.Sprintf("Once bound, only the waypoint%s gets to the pods of %s: the Guardrail says bypass: Guard.", beside, strings.Join(guarded, ", ")))
	}
	return append(out, unguarded(p, waypoint)...), len(held) > 0
}

// unguarded says for which Services there is no guard although it is asked for.
func unguarded(p *plan.Plan, waypoint mesh.Ref) []string {
	bound := map[mesh.Ref]bool{}
	for _, l := range p.Labels {
		for _, svc := range l.Binds {
			bound[svc] = bound[svc] || l.Waypoint() == waypoint
		}
	}
	for i := range p.Waypoints {
		for _, svc := range p.Waypoints[i].Asked {
			bound[svc] = bound[svc] || p.Waypoints[i].Ref() == waypoint
		}
	}
	var out []string
	left := 0
	for _, n := range p.Notices {
		switch {
		case n.Class != plan.ClassGuard || !bound[n.On]:
		case len(out) == maxForetold:
			left++
		default:
			out = append(out, fmt.Sprintf("%s: %s", n.On, n.Why))
		}
	}
	if left > 0 {
		out = append(out, fmt.Sprintf("%d more Services are not guarded: waywarden plan says why.", left))
	}
	return out
}

// undecided is whether a Service is held until somebody decides.
func undecided(p *plan.Plan, svc mesh.Ref) bool {
	return slices.ContainsFunc(p.Notices, func(n plan.Notice) bool {
		return n.Class == plan.ClassShut && n.On.Kind == svc.Kind && n.On.Namespace == svc.Namespace && n.On.Name == svc.Name
	})
}
