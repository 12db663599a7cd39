package plan

import (
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// ingress sets or takes back the label for ingress gateways, when everything is bound.
func (c *course) ingress() outcome {
	key := label.IoIstioIngressUseWaypoint.Name
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		if on == nil || !c.has(l) {
			continue
		}
		labels := l.labels()
		ours := slices.Contains(c.Evidence.Managed.Labelled(on), key)
		step := Step{Object: refOf(on), Preconditions: c.preconditions(on), Needs: l.Needs}
		switch {
		case l.Ingress && on.Labels[key] == "":
			labels[key] = "true"
			step.Action, step.Row, step.Why = Bind, MakeIngress, "the profile asks for it, and the waypoint serves"
		case !l.Ingress && ours:
			if out := c.awaitIngressBack(l, on); out != settled {
				return out
			}
			step.Action, step.Row, step.Why = Release, RemoveIngress, "the profile no longer asks for it"
		case ours:
			if out := c.converged(MakeIngress, refOf(on)); out != settled {
				return out
			}
			continue
		default:
			continue
		}
		step.Manifest = c.relabel(on, labels)
		if out := c.step(step); out == busy {
			return busy
		}
	}
	return settled
}

// awaitIngressBack waits, where the label of ours for ingress gateways goes, until every ztunnel knows that the guards are gone which would
// shut them out at the pods.
func (c *course) awaitIngressBack(l Label, on *mesh.Object) outcome {
	if l.Ingress || !slices.Contains(c.Evidence.Managed.Labelled(on), label.IoIstioIngressUseWaypoint.Name) {
		return settled
	}
	return c.awaitUnguarded(l)
}

// ingressAwaited is the object whose label is to send ingress gateways through the waypoint of a Service, and does not yet, or not every
// proxy knows; nil where there is none. A guard would shut those gateways out until then.
func (c *course) ingressAwaited(svc mesh.Ref) *mesh.Object {
	for _, l := range c.labels {
		if !l.Ingress || !slices.ContainsFunc(l.Binds, func(b mesh.Ref) bool { return canonical(b) == svc }) {
			continue
		}
		if on := find(c.snapshot, l.On); on != nil && (!mesh.True(on.Labels[label.IoIstioIngressUseWaypoint.Name]) || !c.Evidence.Converged(refOf(on))) {
			return on
		}
	}
	return nil
}

// shutsIngress is whether a guard that is there keeps out an ingress gateway that its Service's label was to send through the waypoint,
// and the API server does not take that label.
func (c *course) shutsIngress(p Policy) bool {
	on, svc := c.ingressAwaited(p.For[0]), find(c.snapshot, p.For[0])
	if on == nil || svc == nil || !c.boundAt(p.For[0]) || mesh.True(on.Labels[label.IoIstioIngressUseWaypoint.Name]) || !c.barred(refOf(on)) {
		return false
	}
	ways := policies.Ways(c.snapshot.Without(find(c.snapshot, p.Ref())), svc, nil)
	return closes(slices.DeleteFunc(ways, func(w policies.Bypass) bool { return w.Reason != policies.IngressBypass }), svc, p, c.Settings.Of(svc.Namespace).Exceptions) != ""
}

// barred is whether a write is refused, or undone on the way.
func (c *course) barred(ref mesh.Ref) bool {
	_, refused := c.Evidence.Refused[ref]
	return refused
}
