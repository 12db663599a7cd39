package policies

import (
	"github.com/waywarden/waywarden/policies/mesh"
)

// Regression is a stored policy that a change of another object takes out of force, or makes deny what
// it did not.
type Regression struct {
	Before, After Effect
}

// Regressions are the stored policies that do worse after a change of a Namespace, Service,
// ServiceEntry, WorkloadEntry, Gateway, GatewayClass or pod template than before it, sorted. changed is
// the object in either form, as it was or as it will be. An effect that can no longer be judged is not told.
func Regressions(was, is *View, changed *mesh.Object) []Regression {
	if changed.Kind == mesh.Namespace {
		old, now := was.Get(mesh.Namespace, "", changed.Name), is.Get(mesh.Namespace, "", changed.Name)
		if was.ForPeople(old, now) && is.ForPeople(old, now) {
			return nil
		}
	}
	var out []Regression
	for _, o := range dependants(was.Snapshot, is.Snapshot, changed) {
		if is.Get(o.Kind, o.Namespace, o.Name) != o {
			continue // it goes, or changes, together with the object
		}
		now := is.Effects(o)
		for _, old := range was.Effects(o) {
			if e, ok := counterpart(now, old); ok && e.Verdict != Unknown && e.Verdict.Worse(old.Verdict) {
				out = append(out, Regression{old, e})
			}
		}
	}
	return out
}

// counterpart is the effect at the same target by the same enforcer, else what has become of it.
func counterpart(effects []Effect, old Effect) (Effect, bool) {
	for _, by := range []EnforcedBy{old.EnforcedBy, Nobody, Waypoint, Ztunnel} {
		for _, e := range effects {
			if e.EnforcedBy == by && e.Target.compare(old.Target) == 0 {
				return e, true
			}
		}
	}
	return Effect{}, false
}
