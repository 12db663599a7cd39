package oracle

import (
	"strconv"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks" // the checks of Gateways are what is compared
	"github.com/waywarden/waywarden/policies/mesh"
)

// pending is what the API server writes on a Gateway that no controller has looked at.
const pending = "Unknown Pending"

// written is a condition that a controller has written on a Gateway.
func (r Recording) written(gw *mesh.Object, kind string) string {
	if c := r.condition(gw, kind); c != pending {
		return c
	}
	return Nothing
}

// ours is whether this istiod writes the status of a Gateway.
func (r Recording) ours(gw *mesh.Object) bool {
	rev := gw.Labels[label.IoIstioRev.Name]
	if known, serves := r.Snapshot.Revision(rev); rev != "" && known && !serves {
		return false
	}
	switch r.Snapshot.ClassOf(gw) {
	case mesh.ClassWaypoint, mesh.ClassGateway, mesh.ClassRemote:
		return true
	}
	return false
}

// found are the findings of one check about an object.
func (r Recording) found(check string, o *mesh.Object) []policies.Finding {
	return policies.Evaluate(policies.Checks(check), policies.NewView(r.Snapshot), o)
}

// GatewaysAccepted compares whether istiod takes a Gateway at all: check waypoint/waypoint-parameters with condition
// Accepted. Of a ConfigMap istiod asks only whether it is there, and says nothing of keys that it cannot read.
func (r Recording) GatewaysAccepted() Result {
	var out Result
	for gw := range r.Snapshot.All(mesh.Gateway) {
		ours := "True"
		for _, f := range r.found("waypoint/waypoint-parameters", gw) {
			if len(f.Related) == 0 { // no ConfigMap is there
				ours = "False InvalidParameters"
			}
		}
		istiod := r.written(gw, "Accepted")
		switch {
		case !r.ours(gw):
			ours = Nothing
		case ours == "True":
			istiod = istiod[:4] // what is wrong with a listener is compared by itself
		}
		out.compare("Accepted, of a Gateway", gw, ours, istiod)
	}
	return out
}

// GatewayListeners compares whether a waypoint has a listener that is none of a waypoint's: check
// waypoint/waypoint-listener with condition Accepted of the listeners.
func (r Recording) GatewayListeners() Result {
	var out Result
	for gw := range r.Snapshot.All(mesh.Gateway) {
		if r.Snapshot.ClassOf(gw) != mesh.ClassWaypoint || r.Snapshot.Sandwiched(gw) || !r.ours(gw) {
			continue
		}
		ours, istiod := "every listener is right", "every listener is right"
		if len(r.found("waypoint/waypoint-listener", gw)) > 0 {
			ours = "a listener is wrong"
		}
		for _, l := range r.Listeners[key(gw)] {
			if short(l.Conditions, "Accepted")[:4] != "True" {
				istiod = "a listener is wrong"
			}
		}
		out.compare("the listeners", gw, ours, istiod)
	}
	return out
}

// Programmed is the condition that says whether something answers at a Gateway, and NotReady what is said of
// one at which nothing does.
const (
	Programmed = "Programmed"
	NotReady   = "not ready"
)

// GatewaysReady compares whether a waypoint or gateway that istiod deploys has an address with condition
// Programmed. One that istiod does not deploy is always Programmed, with an address or without.
func (r Recording) GatewaysReady() Result {
	var out Result
	for gw := range r.Snapshot.All(mesh.Gateway) {
		if class := r.Snapshot.ClassOf(gw); class != mesh.ClassWaypoint && class != mesh.ClassGateway || !r.ours(gw) {
			continue
		}
		ours, istiod := NotReady, NotReady
		if mesh.Ready(gw) {
			ours = "ready"
		}
		if c, _ := r.Condition(gw, Programmed); c.Status == "True" {
			istiod = "ready"
		}
		out.compare(Programmed, gw, ours, istiod)
	}
	return out
}

// AttachedRoutes compares how many routes a gateway of one listener takes.
func (r Recording) AttachedRoutes() Result {
	var out Result
	taken := map[string]int{}
	for _, kind := range []mesh.Kind{mesh.HTTPRoute, mesh.GRPCRoute, mesh.TCPRoute, mesh.TLSRoute} {
		for o := range r.Snapshot.All(kind) {
			effects := policies.Effects(r.Snapshot, o)
			for _, ref := range o.Spec.(*mesh.Route).ParentRefs {
				if _, parent := ref.GroupKind(); parent == "Gateway" && accepted(effects, ref, o.Namespace) == "True "+policies.Accepted {
					taken[or(ref.Namespace, o.Namespace)+"/"+ref.Name]++
				}
			}
		}
	}
	for gw := range r.Snapshot.All(mesh.Gateway) {
		listeners := r.Listeners[key(gw)]
		if r.Snapshot.ClassOf(gw) == mesh.ClassGateway && len(listeners) == 1 && r.ours(gw) {
			out.compare("the number of attached routes", gw, strconv.Itoa(taken[gw.Key()]), strconv.Itoa(listeners[0].AttachedRoutes))
		}
	}
	return out
}
