package policies

import (
	"cmp"
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
	policy *mesh.Object

	by       *mesh.Object   // the waypoint or gateway; nil where several, or none
	gateway  bool           // by is an ingress or egress gateway
	services []*mesh.Object // Services and ServiceEntries on whose chains a waypoint applies the policy
	direct   bool           // also on the chains for traffic addressed to pods

	// Where the policy is not applied: the verdict, Istio's word for it or ours, and the message
	// without the policy's name for itself: "is enforced nowhere: …".
	verdict Verdict
	reason  string
	cause   string // what is behind the reason, where that is another
	why     string
	remedy  string
	waits   []Wait
}

func (a *attachment) applied() bool { return a.verdict == "" }

func (a *attachment) not(v Verdict, reason, why, remedy string, waits ...Wait) *attachment {
	a.verdict, a.reason, a.why, a.remedy, a.waits = v, reason, why, remedy, waits
	return a
}

// attach resolves the targetRefs of a policy as Istio does for all kinds alike. Who gets the policy is
// pilot/pkg/model/policyattachment.go ShouldAttachPolicy; the reasons are those of
// pilot/pkg/serviceregistry/ambient/policies.go WaypointPolicyStatusCollection. Where the two
// disagree, and istiod reports as accepted what nobody enforces, the reason is none of istiod's.
func attach(s *mesh.Snapshot, o *mesh.Object, at mesh.Attachment) []*attachment {
	refs := at.Refs()
	out := make([]*attachment, len(refs))
	for i, ref := range refs {
		a := &attachment{policy: o, field: "spec.targetRefs[" + strconv.Itoa(i) + "]"}
		if len(at.TargetRefs) == 0 {
			a.field = "spec.targetRef"
		}
		a.target = Target{Kind: ref.Kind, Namespace: cmp.Or(ref.Namespace, o.Namespace), Name: ref.Name}
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
		a.compareRef(o, ref)
		out[i] = a
	}
	return out
}

// targetGroups are the groups that go with the kinds of a targetRef; "" is written "core" too.
var targetGroups = map[string]string{
	"Service": "", "ServiceEntry": mesh.ServiceEntry.Group(), "Gateway": mesh.Gateway.Group(), "GatewayClass": mesh.GatewayClass.Group(),
}

// compareRef finds what proxies compare and istiod's condition does not: the group, and that the
// namespace is the policy's own. The API server refuses both, if Istio's webhook is there.
func (a *attachment) compareRef(o *mesh.Object, ref mesh.TargetRef) {
	group, ok := targetGroups[ref.Kind]
	if !ok || a.reason != "" && a.rejected() {
		return
	}
	switch {
	case ref.Group != group && !(group == "" && ref.Group == "core"):
		a.field += ".group"
		a.not(NotEnforced, GroupNotMatched, fmt.Sprintf("a %s is in group %q, and the targetRef says %q", ref.Kind, group, ref.Group),
			fmt.Sprintf("Set the group to %q.", group))
	case ref.Kind != "GatewayClass" && a.target.Namespace != o.Namespace:
		a.field += ".namespace"
		a.not(NotEnforced, NamespaceNotMatched, "a targetRef can only name what is in the policy's own namespace "+o.Namespace,
			"Move the policy to Namespace "+a.target.Namespace+", and leave the targetRef's namespace out.")
	}
}

// rejected is whether istiod itself says of the targetRef that it is not bound.
func (a *attachment) rejected() bool {
	switch a.reason {
	case AncestorNotBound, TargetNotFound, Invalid,
		mesh.WaypointIsNotReady, mesh.AttachmentDenied, mesh.UnsupportedTrafficType, mesh.CrossNamespaceWaypointForbidden:
		return true
	}
	return false
}

func attachClass(s *mesh.Snapshot, o *mesh.Object, ref mesh.TargetRef, a *attachment) {
	class, exists := s.ClassNamed(ref.Name)
	self := mesh.Ref{APIVersion: mesh.GatewayClass.APIVersion(), Kind: "GatewayClass", Name: ref.Name}
	switch {
	case o.Namespace != s.RootNamespace():
		remedy := "Name the waypoint's Gateway, or the Services, instead."
		if o.Kind == mesh.EnvoyFilter {
			remedy = "Name the waypoint's Gateway instead."
		}
		a.not(NotEnforced, Invalid, "a GatewayClass can only be named from the root namespace "+s.RootNamespace(), remedy)
	case !exists:
		a.not(NotEnforced, TargetNotFound, "there is no GatewayClass "+ref.Name, "Name GatewayClass "+mesh.WaypointClassName+".")
	case class == mesh.ClassUnknown:
		a.not(Unknown, NotInInput, "GatewayClass "+ref.Name+" is not in the input", "Add it, or use --live.", Wait{Object: &self})
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
	var pending *mesh.Object
	for gw := range s.All(mesh.Gateway) {
		if !ownWaypoint(s, gw) {
			continue
		}
		if !mesh.Ready(gw) {
			if wanted(s, gw) {
				pending = gw
			}
			continue
		}
		a.services = append(a.services, s.BoundTo(gw)...)
		a.direct = a.direct || len(s.WorkloadsBoundTo(gw)) > 0
	}
	switch {
	case len(a.services) > 0 || a.direct:
	case pending != nil:
		ref := pending.Ref()
		a.not(Pending, ServesNothing, "no waypoint of the class serves anything yet, and waypoint "+pending.Key()+" is not ready", "Wait for it, or find out why it is not ready.", Wait{Object: &ref})
	case !s.Whole():
		a.not(Unknown, NotInInput, "nothing in the input is bound to a waypoint of the class, and the input does not show every namespace", "Add the Namespaces and the waypoints, or use --live.")
	default:
		a.not(NotEnforced, ServesNothing, "nothing in the mesh is bound to a waypoint of the class",
			"Bind Services with label "+label.IoIstioUseWaypoint.Name+".", Wait{Label: label.IoIstioUseWaypoint.Name, On: &mesh.Ref{APIVersion: "v1", Kind: "Service"}})
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
	a.by, a.gateway = gw, s.ClassOf(gw) == mesh.ClassGateway
	a.proxy(s, gw)
	switch {
	case !mesh.Ready(gw) && a.applied():
		a.not(Pending, mesh.WaypointIsNotReady, fmt.Sprintf("%s is not ready: %s", gw, s.Unready(gw)), "Find out why; until then nothing enforces the policy.", Wait{Object: &ref})
	case !mesh.Ready(gw):
		a.cause, a.reason = a.reason, mesh.WaypointIsNotReady // istiod looks at the address and no further
	case a.applied() && !a.gateway:
		a.services, a.direct = s.BoundTo(gw), len(s.WorkloadsBoundTo(gw)) > 0
		if len(a.services) == 0 && !a.direct {
			a.servesNothing(s, gw)
		}
	}
}

// servesNothing is a waypoint that is ready, and nothing is bound to it.
func (a *attachment) servesNothing(s *mesh.Snapshot, gw *mesh.Object) {
	if !s.Known(gw.Namespace) || s.AdmitsOthers(gw) && !s.Whole() {
		a.not(Unknown, NotInInput, fmt.Sprintf("nothing in the input is bound to waypoint %s, and the input does not show every namespace", gw.Key()), "Add the Namespaces, or use --live.",
			Wait{Object: &mesh.Ref{APIVersion: "v1", Kind: "Namespace", Name: gw.Namespace}})
		return
	}
	if tt := s.TrafficType(gw); !mesh.ServesServices(tt) && !mesh.ServesWorkloads(tt) {
		a.not(NotEnforced, ServesNothing, fmt.Sprintf("label %s=%s on waypoint %s lets nothing be bound to it", label.IoIstioWaypointFor.Name, tt, gw.Key()),
			fmt.Sprintf("Set label %s to service, workload or all.", label.IoIstioWaypointFor.Name))
		return
	}
	if s.Awaits(gw) {
		ref := gw.Ref()
		a.not(Pending, ServesNothing, fmt.Sprintf("nothing is bound to waypoint %s yet", gw.Key()), "Wait; Waywarden binds to it what it made it for.", Wait{Object: &ref})
		return
	}
	a.not(NotEnforced, ServesNothing, fmt.Sprintf("nothing is bound to waypoint %s", gw.Key()),
		fmt.Sprintf("Give the Services, or their Namespace, label %s=%s.", label.IoIstioUseWaypoint.Name, gw.Name),
		Wait{Label: label.IoIstioUseWaypoint.Name, On: &mesh.Ref{APIVersion: "v1", Kind: "Namespace", Name: gw.Namespace}})
}

// proxy says whether what runs a Gateway applies Istio's own policies. It judges what is asked for
// as a waypoint, and the ingress gateways that are not.
func (a *attachment) proxy(s *mesh.Snapshot, gw *mesh.Object) {
	switch class := s.ClassOf(gw); {
	case s.Sandwiched(gw), class == mesh.ClassForeign, class == mesh.ClassEastWest:
		a.not(Unknown, ForeignGateway, fmt.Sprintf("%s is run by somebody else's controller", gw), "Ask its maker which policies it applies.")
	case class == mesh.ClassUnknown:
		name := gw.Spec.(*mesh.GatewayBody).Spec.GatewayClassName
		a.not(Unknown, NotInInput, fmt.Sprintf("GatewayClass %s of %s is not in the input, so nobody can tell what runs it", name, gw), "Add it, or use --live.",
			Wait{Object: &mesh.Ref{APIVersion: mesh.GatewayClass.APIVersion(), Kind: "GatewayClass", Name: name}})
	case class == mesh.ClassAgentgateway, class == mesh.ClassAgentIngress:
		run := "Run the waypoint as class " + mesh.WaypointClassName
		if class == mesh.ClassAgentIngress {
			run = "Run the gateway as class istio"
		}
		a.not(NotEnforced, Agentgateway, fmt.Sprintf("%s runs agentgateway, which does not apply Istio's own policies, though istiod reports them as accepted", gw),
			run+", or use policies of the Gateway API.")
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
	if kind == mesh.ServiceEntry && s.OtherRevision(svc) {
		a.not(NotEnforced, TargetNotFound, fmt.Sprintf("label %s of %s names a revision that no istiod in the input has, so that to istiod it is not there", label.IoIstioRev.Name, ref), "Remove the label of the ServiceEntry.")
		return
	}
	b := s.LabelledBinding(svc)
	if !b.Bound {
		a.unbound(s, svc, b)
		return
	}
	a.by = b.Gateway
	a.proxy(s, b.Gateway)
	switch {
	case !a.applied():
	case s.ClassOf(b.Gateway) == mesh.ClassGateway:
		a.not(NotEnforced, ForeignGateway, fmt.Sprintf("%s is bound to %s, which is an ingress gateway and no waypoint", ref, b.Gateway), "Bind it to a waypoint.")
	case mesh.ExternalName(svc):
		a.not(NotEnforced, ExternalNameService, fmt.Sprintf("%s is of type ExternalName, which ambient mode does not know", ref), "Describe the host with a ServiceEntry and bind that.")
	case mesh.Headless(svc):
		a.headless(HeadlessService, ref)
	case kind == mesh.ServiceEntry && s.Taken(svc):
		a.not(NotEnforced, Shadowed, fmt.Sprintf("%s of the same namespace has the host of %s, so that the waypoint knows only the other", s.TakenBy(svc, s.HostsOf(svc)[0]), ref),
			"Name that one, or remove it.")
	case s.AliasOf(svc) != nil:
		a.not(NotEnforced, Shadowed, fmt.Sprintf("%s of type ExternalName has the host of %s, so that the waypoint takes no calls to it", s.AliasOf(svc), ref), aliasRemedy)
	case dynamicInside(svc):
		a.not(NotEnforced, Protocol, fmt.Sprintf("%s is DYNAMIC_DNS inside the mesh, which waypoints leave out", ref), "Set location: MESH_EXTERNAL.")
	default:
		a.services = []*mesh.Object{svc}
	}
}

// headless is a Service of which no waypoint ever meets a call, whether it is bound to one or not: nothing is to be waited for.
func (a *attachment) headless(reason string, svc any) {
	a.not(NotEnforced, reason, fmt.Sprintf("%s is headless, so its clients connect to pods and never pass the waypoint's chain for it", svc),
		"Give the pods a waypoint for workloads and name its Gateway, or use rules that ztunnel can enforce.")
}

const aliasRemedy = "Remove the Service, or name another host."

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
	case mesh.ExternalName(svc):
		a.not(NotEnforced, AncestorNotBound, fmt.Sprintf("%s is of type ExternalName, which no waypoint ever serves", name), "Describe the host with a ServiceEntry and bind that.")
	case b.Reason == mesh.ReasonUnknown:
		a.not(Unknown, NotInInput, fmt.Sprintf("%s is not in the input, so nobody can tell which waypoint %s has", b.Missing, name), "Add it, or use --live.", waitFor(b.Missing)...)
	case b.Opt == mesh.OptsOut:
		a.not(NotEnforced, AncestorNotBound, fmt.Sprintf("%s opts out of waypoints with label %s=none", name, label.IoIstioUseWaypoint.Name), "Remove the label.")
	case mesh.Headless(svc) && b.Opt == mesh.Asks:
		a.headless(b.Reason, name)
	case mesh.Headless(svc):
		a.headless(AncestorNotBound, name)
	case b.Opt != mesh.Asks && a.awaits(s, svc):
	case b.Opt != mesh.Asks:
		a.not(NotEnforced, AncestorNotBound, fmt.Sprintf("%s is not bound to a waypoint", name),
			fmt.Sprintf("Make a waypoint, then give %s or its Namespace label %s.", name, label.IoIstioUseWaypoint.Name), wait)
	case b.Reason == mesh.WaypointIsNotReady && b.Gateway != nil:
		a.by = b.Gateway
		a.not(Pending, b.Reason, fmt.Sprintf("%s asks for waypoint %s, which is not ready%s", name, wp, waitingFor(s, b.Gateway)), "Find out why it is not ready; until then calls go straight to the pods.", Wait{Object: &gw})
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
