package policies

import (
	"fmt"
	"strconv"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// attachment is one targetRef of a policy, resolved: the waypoints and gateways that get the
// policy, and the Services on whose chains they apply it; or why nobody gets it.
type attachment struct {
	field  string // as in "spec.targetRefs[0]"
	target Target

	by       *mesh.Object   // the waypoint or gateway; nil where several, or none
	gateway  bool           // by is an ingress or egress gateway
	services []*mesh.Object // Services and ServiceEntries on whose chains a waypoint applies the policy
	direct   bool           // also on the chains for traffic addressed to pods

	// Where the policy is not applied: the verdict, Istio's word for it or ours, and the message
	// without the policy's name for itself: "is enforced nowhere: …".
	verdict Verdict
	reason  string
	why     string
	remedy  string
	waits   []Wait
}

func (a *attachment) applied() bool { return a.verdict == "" }

func (a *attachment) not(v Verdict, reason, why, remedy string, waits ...Wait) *attachment {
	a.verdict, a.reason, a.why, a.remedy, a.waits = v, reason, why, remedy, waits
	return a
}

// attach resolves the targetRefs of a policy as Istio does for all kinds alike
// (pilot/pkg/model/policyattachment.go ShouldAttachPolicy; for the reasons,
// pilot/pkg/serviceregistry/ambient/policies.go WaypointPolicyStatusCollection).
func attach(s *mesh.Snapshot, o *mesh.Object, at mesh.Attachment) []*attachment {
	refs := at.Refs()
	out := make([]*attachment, len(refs))
	for i, ref := range refs {
		a := &attachment{field: "spec.targetRefs[" + strconv.Itoa(i) + "]"}
		if len(at.TargetRefs) == 0 {
			a.field = "spec.targetRef"
		}
		a.target = Target{Kind: ref.Kind, Namespace: or(ref.Namespace, o.Namespace), Name: ref.Name}
		switch ref.Kind {
		case "GatewayClass":
			a.target.Namespace = ""
			attachClass(s, o, ref, a)
		case "Gateway":
			attachGateway(s, a)
		case "Service":
			attachService(s, a, mesh.Service)
		case "ServiceEntry":
			attachService(s, a, mesh.ServiceEntry)
		default:
			a.not(NotEnforced, Invalid, fmt.Sprintf("a policy cannot be attached to a %s", ref.Kind),
				"Name a Service, a ServiceEntry, a Gateway or a GatewayClass.")
		}
		out[i] = a
	}
	return out
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func attachClass(s *mesh.Snapshot, o *mesh.Object, ref mesh.TargetRef, a *attachment) {
	class, exists := s.ClassNamed(ref.Name)
	switch {
	case o.Namespace != s.RootNamespace():
		a.not(NotEnforced, Invalid, "a GatewayClass can only be named from the root namespace "+s.RootNamespace(),
			"Name the waypoint's Gateway, or the Services, instead.")
	case !exists:
		a.not(NotEnforced, TargetNotFound, "there is no GatewayClass "+ref.Name, "Name GatewayClass "+mesh.WaypointClassName+".",
			Wait{Object: &mesh.Ref{APIVersion: mesh.GatewayClass.APIVersion(), Kind: "GatewayClass", Name: ref.Name}})
	case class == mesh.ClassUnknown:
		a.not(Unknown, NotInInput, "GatewayClass "+ref.Name+" is not in the input", "Add it, or use --live.",
			Wait{Object: &mesh.Ref{APIVersion: mesh.GatewayClass.APIVersion(), Kind: "GatewayClass", Name: ref.Name}})
	case class != mesh.ClassWaypoint:
		a.not(NotEnforced, Invalid, "GatewayClass "+ref.Name+" is not one of Istio's waypoints", "Name GatewayClass "+mesh.WaypointClassName+".")
	case ref.Name != mesh.WaypointClassName:
		a.not(NotEnforced, ClassNotMatched, "waypoints compare the name of the class literally and only ever match "+mesh.WaypointClassName+", though istiod reports the policy as accepted",
			"Name the Gateways one by one, or run the waypoints as class "+mesh.WaypointClassName+".")
	default:
		attachAllWaypoints(s, a)
	}
}

// attachAllWaypoints attaches to every Envoy waypoint of the mesh.
func attachAllWaypoints(s *mesh.Snapshot, a *attachment) {
	pending := false
	for gw := range s.All(mesh.Gateway) {
		if s.ClassOf(gw) != mesh.ClassWaypoint || s.Sandwiched(gw) {
			continue
		}
		pending = pending || !mesh.Ready(gw)
		a.services = append(a.services, s.BoundTo(gw)...)
		a.direct = a.direct || len(s.WorkloadsBoundTo(gw)) > 0
	}
	switch {
	case len(a.services) > 0 || a.direct:
	case pending:
		a.not(Pending, ServesNothing, "the waypoints are not ready", "Wait for them, or find out why they are not ready.")
	default:
		a.not(NotEnforced, ServesNothing, "nothing in the mesh is bound to a waypoint of the class",
			"Bind Services with label "+label.IoIstioUseWaypoint.Name+".")
	}
}

func attachGateway(s *mesh.Snapshot, a *attachment) {
	t := a.target
	ref := mesh.Ref{APIVersion: mesh.Gateway.APIVersion(), Kind: "Gateway", Namespace: t.Namespace, Name: t.Name}
	gw := s.Get(mesh.Gateway, t.Namespace, t.Name)
	if gw == nil {
		if !s.Known(t.Namespace) {
			a.not(Unknown, NotInInput, "Gateway "+ref.Namespace+"/"+ref.Name+" is not in the input", "Add it, or use --live.", Wait{Object: &ref})
			return
		}
		a.not(NotEnforced, TargetNotFound, "there is no Gateway "+ref.Namespace+"/"+ref.Name, "Create the waypoint, or name the one that serves the Services.", Wait{Object: &ref})
		return
	}
	class := s.ClassOf(gw)
	switch {
	case class == mesh.ClassGateway:
		a.by, a.gateway = gw, true
		if !mesh.Ready(gw) {
			a.not(Pending, mesh.WaypointIsNotReady, fmt.Sprintf("%s has no address yet", gw), "Find out why it is not ready.")
		}
	case class == mesh.ClassAgentgateway, class == mesh.ClassAgentIngress:
		a.not(NotEnforced, Agentgateway, fmt.Sprintf("%s runs agentgateway, which does not apply Istio's own policies, though istiod reports them as accepted", gw),
			"Run the waypoint as class "+mesh.WaypointClassName+", or use policies of the Gateway API.")
	case class != mesh.ClassWaypoint && class != mesh.ClassRemote, s.Sandwiched(gw):
		a.not(Unknown, ForeignGateway, fmt.Sprintf("%s is run by somebody else's controller", gw), "Ask its maker which policies it applies.")
	case !mesh.Ready(gw):
		a.by = gw
		a.not(Pending, mesh.WaypointIsNotReady, fmt.Sprintf("waypoint %s is not ready", gw.Key()), "Find out why it is not ready; until then nothing enforces the policy.")
	default:
		a.by = gw
		a.services, a.direct = s.BoundTo(gw), len(s.WorkloadsBoundTo(gw)) > 0
		if len(a.services) == 0 && !a.direct {
			a.not(NotEnforced, ServesNothing, fmt.Sprintf("nothing is bound to waypoint %s", gw.Key()),
				fmt.Sprintf("Give the Services, or their Namespace, label %s=%s.", label.IoIstioUseWaypoint.Name, gw.Name))
		}
	}
}

func attachService(s *mesh.Snapshot, a *attachment, kind mesh.Kind) {
	t := a.target
	ref := mesh.Ref{APIVersion: kind.APIVersion(), Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}
	svc := s.Get(kind, t.Namespace, t.Name)
	if svc == nil {
		if !s.Known(t.Namespace) {
			a.not(Unknown, NotInInput, fmt.Sprintf("%s is not in the input", ref), "Add it, or use --live.", Wait{Object: &ref})
			return
		}
		a.not(NotEnforced, TargetNotFound, fmt.Sprintf("there is no %s", ref), "Correct the name; a targetRef can only name what is in the policy's own namespace.", Wait{Object: &ref})
		return
	}
	if mesh.ExternalName(svc) {
		a.not(NotEnforced, ExternalNameService, fmt.Sprintf("%s is of type ExternalName, which ambient mode does not know", ref), "Describe the host with a ServiceEntry and bind that.")
		return
	}
	b := s.Binding(svc)
	if !b.Bound {
		a.unbound(s, svc, b)
		return
	}
	a.by = b.Gateway
	switch class := s.ClassOf(b.Gateway); {
	case class == mesh.ClassAgentgateway:
		a.not(NotEnforced, Agentgateway, fmt.Sprintf("waypoint %s runs agentgateway, which does not apply Istio's own policies, though istiod reports them as accepted", b.Gateway.Key()),
			"Bind the Service to a waypoint of class "+mesh.WaypointClassName+".")
	case class != mesh.ClassWaypoint && class != mesh.ClassRemote || s.Sandwiched(b.Gateway):
		a.foreign(s, ref, b.Gateway, class)
	case mesh.Headless(svc):
		a.not(NotEnforced, HeadlessService, fmt.Sprintf("%s is headless, so its clients connect to pods and never pass the waypoint's chain for it", ref),
			"Give the pods a waypoint for workloads and name its Gateway, or use rules that ztunnel can enforce.")
	case dynamicInside(svc):
		a.not(NotEnforced, Protocol, fmt.Sprintf("%s is DYNAMIC_DNS inside the mesh, which waypoints leave out", ref), "Set location: MESH_EXTERNAL.")
	default:
		a.services = []*mesh.Object{svc}
	}
}

// foreign is a Service bound to something that is no waypoint of Istio's.
func (a *attachment) foreign(s *mesh.Snapshot, svc mesh.Ref, gw *mesh.Object, class mesh.Class) {
	if class == mesh.ClassGateway {
		a.not(NotEnforced, ForeignGateway, fmt.Sprintf("%s is bound to %s, which is an ingress gateway and no waypoint", svc, gw), "Bind it to a waypoint.")
		return
	}
	a.not(Unknown, ForeignGateway, fmt.Sprintf("%s is bound to %s, which is run by somebody else's controller", svc, gw), "Ask its maker which policies it applies.")
}

// dynamicInside is a ServiceEntry that pilot/pkg/networking/core/waypoint.go findWaypointResources leaves out.
func dynamicInside(o *mesh.Object) bool {
	b, ok := o.Spec.(*mesh.ServiceEntrySpec)
	return ok && b.Resolution == "DYNAMIC_DNS" && b.Location == "MESH_INTERNAL"
}

// unbound says why a Service has no waypoint.
func (a *attachment) unbound(s *mesh.Snapshot, svc *mesh.Object, b mesh.Binding) {
	name := svc.Kind.String() + " " + svc.Key()
	on := svc.Ref()
	wait := Wait{Label: label.IoIstioUseWaypoint.Name, On: &on}
	wp := b.Namespace + "/" + b.Name
	gw := b.Waypoint()
	switch {
	case b.Reason == mesh.ReasonUnknown:
		a.not(Unknown, NotInInput, fmt.Sprintf("%s is not in the input, so nobody can tell which waypoint %s has", b.Missing, name), "Add it, or use --live.", waitFor(b.Missing)...)
	case b.Opt == mesh.OptsOut:
		a.not(NotEnforced, AncestorNotBound, fmt.Sprintf("%s opts out of waypoints with label %s=none", name, label.IoIstioUseWaypoint.Name), "Remove the label.")
	case b.Opt != mesh.Asks:
		a.not(NotEnforced, AncestorNotBound, fmt.Sprintf("%s is not bound to a waypoint", name),
			fmt.Sprintf("Give it, or its Namespace, label %s and make the waypoint.", label.IoIstioUseWaypoint.Name), wait)
	case b.Reason == mesh.WaypointIsNotReady && b.Gateway != nil:
		a.by = b.Gateway
		a.not(Pending, b.Reason, fmt.Sprintf("%s asks for waypoint %s, which is not ready", name, wp), "Find out why it is not ready; until then calls go straight to the pods.")
	case b.Reason == mesh.WaypointIsNotReady:
		a.not(NotEnforced, b.Reason, fmt.Sprintf("%s asks for waypoint %s, which does not exist", name, wp), "Make the waypoint, or correct the label.", Wait{Object: &gw})
	case b.Reason == mesh.AttachmentDenied:
		a.not(NotEnforced, b.Reason, fmt.Sprintf("%s asks for waypoint %s, which does not let Namespace %s attach", name, wp, svc.Namespace), "Widen allowedRoutes of the waypoint's listener, or use a waypoint of the namespace.")
	case b.Reason == mesh.UnsupportedTrafficType:
		a.not(NotEnforced, b.Reason, fmt.Sprintf("%s asks for waypoint %s, which is for %s traffic only", name, wp, s.TrafficType(b.Gateway)), fmt.Sprintf("Set label %s to service or all on the waypoint.", label.IoIstioWaypointFor.Name))
	default:
		a.not(NotEnforced, b.Reason, fmt.Sprintf("%s may not use waypoint %s of another namespace, because it is visible in its own namespace only", name, wp), "Make a waypoint in the namespace.")
	}
}
