package policies

import (
	"fmt"
	"slices"

	"istio.io/api/label"

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
	if changed.Kind == mesh.Namespace && indifferent(was.Snapshot, is.Snapshot, changed.Name) {
		return nil
	}
	turned := changed.Kind == mesh.Gateway && turnsToIngress(was.Snapshot, is.Snapshot, changed)
	var out []Regression
	for _, o := range dependants(was.Snapshot, is.Snapshot, changed) {
		if is.Get(o.Kind, o.Namespace, o.Name) != o {
			continue // it goes, or changes, together with the object
		}
		now := is.Effects(o)
		if !turned && !slices.ContainsFunc(now, canBeWorse) {
			continue // most are as good as can be, and what they were before is half of the work
		}
		for _, old := range was.Effects(o) {
			e, ok := counterpart(now, old)
			if ok && turned && old.EnforcedBy == Waypoint && e.EnforcedBy == Gateway {
				e = withinTheMesh(e)
			}
			if ok && canBeWorse(e) && e.Verdict.Worse(old.Verdict) {
				out = append(out, Regression{old, e})
			}
		}
	}
	return out
}

// indifferent is whether no policy goes by what changes of a Namespace: labels for people, or whether ingress gateways send through
// the waypoint, where none does that sends to anything in it.
func indifferent(was, is *mesh.Snapshot, ns string) bool {
	old, now := was.Get(mesh.Namespace, "", ns), is.Get(mesh.Namespace, "", ns)
	// Only a Namespace differs between the two, and so all selectors are the same.
	return was.ForPeople(old, now) || was.ForPeople(old, now, label.IoIstioIngressUseWaypoint.Name) && ingressUntold(was, is, ns)
}

// ingressUntold is whether nothing goes by what the Services and ServiceEntries of a namespace tell ingress gateways: they tell what they did, or
// no route leads to them.
func ingressUntold(was, is *mesh.Snapshot, ns string) bool {
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} {
		for _, svc := range is.List(kind, ns) {
			if was.Binding(svc).Ingress != is.Binding(svc).Ingress && len(is.RoutesTo(svc)) > 0 {
				return false
			}
		}
	}
	return true
}

// turnsToIngress is whether a waypoint becomes an ingress or egress gateway: policies that name it stay in force there, and the calls
// that it was there for pass it no more.
func turnsToIngress(was, is *mesh.Snapshot, gw *mesh.Object) bool {
	old, now := was.Get(gw.Kind, gw.Namespace, gw.Name), is.Get(gw.Kind, gw.Namespace, gw.Name)
	return ownWaypoint(was, old) && now != nil && is.ClassOf(now) == mesh.ClassGateway
}

// withinTheMesh is what an effect at a gateway that was a waypoint does for the calls within the mesh.
func withinTheMesh(e Effect) Effect {
	text := fmt.Sprintf("%s is no waypoint any more, so that calls within the mesh do not pass it", e.Target)
	e.EnforcedBy, e.By, e.Verdict, e.Reason = Nobody, nil, NotEnforced, ServesNothing
	e.Causes, e.Message = []Cause{{Reason: ServesNothing, Verdict: NotEnforced, Text: text}}, text+"."
	return e
}

// canBeWorse is whether an effect is known, and less than the best that there is.
func canBeWorse(e Effect) bool { return e.Verdict != Unknown && e.Verdict.Worse(Enforced) }

// counterpart is the effect at the same target by the same enforcer, else what has become of it.
func counterpart(effects []Effect, old Effect) (Effect, bool) {
	for _, by := range []EnforcedBy{old.EnforcedBy, Nobody, Waypoint, Ztunnel, Gateway} {
		for _, e := range effects {
			if e.EnforcedBy == by && e.Target.compare(old.Target) == 0 {
				return e, true
			}
		}
	}
	return Effect{}, false
}
