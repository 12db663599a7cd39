package plan

import (
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A plan is made of the mesh as it would be without anything of ours, so that it says what is needed and not what is
// left to do. Whether a step was taken, by us or by whoever led before, changes nothing about it.

// withoutOurs is the mesh without what is ours. Where nothing is, it is the same View, with all that it has found out.
func withoutOurs(view *policies.View, managed Managed) *policies.View {
	var with, without []*mesh.Object
	for ref := range managed {
		o := find(view.Snapshot, ref)
		switch {
		case o == nil:
		case managed.Made(o):
			without = append(without, o)
			if o.Kind == mesh.Gateway {
				without = append(without, deployedFor(view.Snapshot, o)...)
			}
		case len(managed.Labelled(o)) > 0:
			with = append(with, labelled(o, nil, managed.Labelled(o)...))
		}
	}
	if len(with)+len(without) == 0 {
		return view
	}
	return policies.NewView(view.Edited(with, without))
}

// deployed are the kinds that istiod, and what it starts, make of a Gateway.
var deployed = []mesh.Kind{mesh.Pod, mesh.ReplicaSet, mesh.Deployment, mesh.Service, mesh.ServiceAccount}

// deployedFor is what istiod made of a Gateway.
func deployedFor(s *mesh.Snapshot, gw *mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	for _, kind := range deployed {
		for _, o := range s.List(kind, gw.Namespace) {
			if o.Labels[label.IoK8sNetworkingGatewayGatewayName.Name] == gw.Name {
				out = append(out, o)
			}
		}
	}
	return out
}

// waypointLabels are the labels that a plan may set on objects of somebody else's.
var waypointLabels = []string{label.IoIstioUseWaypoint.Name, label.IoIstioUseWaypointNamespace.Name, label.IoIstioIngressUseWaypoint.Name,
	label.IoIstioUseWaypointCanary.Name, label.IoIstioUseWaypointCanaryNamespace.Name}

// find is the object that a Ref names, nil where there is none.
func find(s *mesh.Snapshot, ref mesh.Ref) *mesh.Object {
	kind, ok := mesh.KindOf(ref.APIVersion, ref.Kind)
	if !ok {
		return nil
	}
	return s.Get(kind, ref.Namespace, ref.Name)
}
