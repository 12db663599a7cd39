package plan

import (
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A plan is made of the mesh as it would be without anything of ours, so that it says what is needed and not what is
// left to do. Whether a step was taken, by us or by whoever led before, changes nothing about it.

// withoutOurs is the mesh without what is ours. Where nothing is, it is the same View, with all that it has found out.
func withoutOurs(view *policies.View, managed Managed) *policies.View {
	s := view.Snapshot
	for ref := range managed {
		o := find(view.Snapshot, ref)
		switch {
		case o == nil:
		case managed.Made(o):
			s = s.Without(o)
			if o.Kind == mesh.Gateway {
				s = withoutDeployed(s, o)
			}
		case len(managed.Labelled(o)) > 0:
			s = s.With(labelled(o, nil, managed.Labelled(o)...))
		}
	}
	if s == view.Snapshot {
		return view
	}
	return policies.NewView(s)
}

// deployed are the kinds that istiod, and what it starts, make of a Gateway.
var deployed = []mesh.Kind{mesh.Pod, mesh.ReplicaSet, mesh.Deployment, mesh.Service, mesh.ServiceAccount}

// withoutDeployed is the mesh without what istiod made of a Gateway.
func withoutDeployed(s *mesh.Snapshot, gw *mesh.Object) *mesh.Snapshot {
	for _, kind := range deployed {
		for _, o := range slices.Clone(s.List(kind, gw.Namespace)) {
			if o.Labels[label.IoK8sNetworkingGatewayGatewayName.Name] == gw.Name {
				s = s.Without(o)
			}
		}
	}
	return s
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
