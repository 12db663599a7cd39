package mesh

import (
	"strconv"
	"strings"

	"istio.io/api/annotation"
	"istio.io/api/label"
)

const managedMesh = "istio.io-mesh-controller"

// Class is what runs a Gateway, by its GatewayClass.
type Class string

// The classes that make a difference.
const (
	ClassWaypoint     Class = "waypoint"     // Envoy, by istiod's mesh controller
	ClassAgentgateway Class = "agentgateway" // Istio's own policies are not applied by it
	ClassEastWest     Class = "east-west"
	ClassRemote       Class = "remote"  // istio-remote: an address and nothing else
	ClassGateway      Class = "gateway" // ingress or egress, by istiod
	ClassAgentIngress Class = "agentgateway-ingress"
	ClassForeign      Class = "foreign" // somebody else's controller
	ClassUnknown      Class = "unknown" // its GatewayClass is not in the input
)

// Waypoint is whether pods of the class are waypoints rather than gateways.
func (c Class) Waypoint() bool { return c == ClassWaypoint || c == ClassAgentgateway }

// controllers are those of pilot/pkg/config/kube/gatewaycommon/classinfo.go.
var controllers = map[string]Class{
	"istio.io/mesh-controller":                  ClassWaypoint,
	"istio.io/agentgateway-waypoint-controller": ClassAgentgateway,
	"istio.io/eastwest-controller":              ClassEastWest,
	"istio.io/unmanaged-gateway":                ClassRemote,
	"istio.io/gateway-controller":               ClassGateway,
	"istio.io/agentgateway-controller":          ClassAgentIngress,
}

// installedClasses are the GatewayClasses that istiod makes itself; they exist without being shown.
var installedClasses = map[string]Class{
	"istio-waypoint":              ClassWaypoint,
	"istio":                       ClassGateway,
	"istio-remote":                ClassRemote,
	"istio-east-west":             ClassEastWest,
	"istio-agentgateway":          ClassAgentIngress,
	"istio-agentgateway-waypoint": ClassAgentgateway,
}

// WaypointClassName is the only class name that a targetRef to a GatewayClass can have
// (pilot/pkg/model/policyattachment.go compares it literally).
const WaypointClassName = "istio-waypoint"

// ClassNamed is what runs the Gateways of a GatewayClass. exists is false where the input shows
// GatewayClasses and this is not among them.
func (s *Snapshot) ClassNamed(name string) (class Class, exists bool) {
	if o := s.Get(GatewayClass, "", name); o != nil {
		if c, ok := controllers[o.Spec.(*GatewayClassSpec).ControllerName]; ok {
			return c, true
		}
		return ClassForeign, true
	}
	if len(s.List(GatewayClass, "")) > 0 {
		return ClassUnknown, false
	}
	if c, ok := installedClasses[name]; ok {
		return c, true
	}
	return ClassUnknown, true
}

// ClassOf is what runs a Gateway.
func (s *Snapshot) ClassOf(gw *Object) Class {
	c, _ := s.ClassNamed(gw.Spec.(*GatewayBody).Spec.GatewayClassName)
	return c
}

// Ready is whether istiod takes the Gateway for a usable waypoint: it has an address. A Gateway
// from a file without a status counts as ready, because a file is a wish.
func Ready(gw *Object) bool {
	status := gw.Spec.(*GatewayBody).Status
	if status == nil {
		return !gw.Live
	}
	return len(status.Addresses) > 0
}

// Sandwiched is whether the Gateway declares another way in than HBONE: then somebody else's proxy
// does the work.
func (s *Snapshot) Sandwiched(gw *Object) bool {
	return s.inboundBinding(gw) != ""
}

func (s *Snapshot) inboundBinding(gw *Object) string {
	if v, ok := gw.Annotations[annotation.AmbientWaypointInboundBinding.Name]; ok {
		return v
	}
	if c := s.Get(GatewayClass, "", gw.Spec.(*GatewayBody).Spec.GatewayClassName); c != nil {
		return c.Annotations[annotation.AmbientWaypointInboundBinding.Name]
	}
	return ""
}

// TrafficType is what a Gateway accepts as a waypoint: its own label istio.io/waypoint-for, else
// its GatewayClass's, else "service" (ambient/waypoints.go gatewayToWaypointTransform).
func (s *Snapshot) TrafficType(gw *Object) string {
	if v, ok := gw.Labels[label.IoIstioWaypointFor.Name]; ok {
		return v
	}
	if c := s.Get(GatewayClass, "", gw.Spec.(*GatewayBody).Spec.GatewayClassName); c != nil {
		if v, ok := c.Labels[label.IoIstioWaypointFor.Name]; ok {
			return v
		}
	}
	return "service"
}

// ServesServices and ServesWorkloads are what a traffic type lets through.
func ServesServices(trafficType string) bool { return trafficType == "service" || trafficType == "all" }

// ServesWorkloads is whether a waypoint of the traffic type takes traffic addressed to pods.
func ServesWorkloads(trafficType string) bool {
	return trafficType == "workload" || trafficType == "all"
}

// Identity is the principal under which a waypoint's traffic reaches ztunnel, without "spiffe://".
func (s *Snapshot) Identity(gw *Object) string {
	sa := gw.Name
	if v := gw.Annotations[annotation.GatewayServiceAccount.Name]; v != "" {
		sa = v
	}
	return s.settings.TrustDomain + "/ns/" + gw.Namespace + "/sa/" + sa
}

// Asked is which waypoint an object asks for.
type Asked struct {
	Namespace, Name string
	By              string // the kind that carries the label: "Namespace", or the object's own kind
	Opt             Opt
}

// Opt is whether something asks for a waypoint.
type Opt int

// Whether a waypoint is asked for.
const (
	AsksNothing Opt = iota // no label on the object or its namespace
	OptsOut                // the object's own label is "none"
	Asks
	NotKnown // the object has no label, and its Namespace is not in the input
)

func waypointNamespace(o *Object, byDefault string) string {
	if ns, ok := o.Labels[label.IoIstioUseWaypointNamespace.Name]; ok {
		return ns
	}
	return byDefault
}

// AskedWaypoint reads istio.io/use-waypoint from the object's labels, else from its Namespace's
// (ambient/waypoints.go fetchWaypointForTarget). What the object asks for is never completed, nor
// replaced when it is not usable, by what the Namespace asks for.
func (s *Snapshot) AskedWaypoint(kind Kind, ns string, labels map[string]string) Asked {
	if name, ok := labels[label.IoIstioUseWaypoint.Name]; ok {
		if name == none {
			return Asked{Opt: OptsOut, By: kind.String()}
		}
		in := ns
		if v, ok := labels[label.IoIstioUseWaypointNamespace.Name]; ok {
			in = v
		}
		return Asked{Namespace: in, Name: name, By: kind.String(), Opt: Asks}
	}
	if !s.Known(ns) {
		return Asked{Opt: NotKnown}
	}
	labels = s.NamespaceLabels(ns)
	name, ok := labels[label.IoIstioUseWaypoint.Name]
	if !ok || name == none {
		return Asked{}
	}
	in := ns
	if v, ok := labels[label.IoIstioUseWaypointNamespace.Name]; ok {
		in = v
	}
	return Asked{Namespace: in, Name: name, By: "Namespace", Opt: Asks}
}

// The reasons of a Binding: istiod's words (pilot/pkg/serviceregistry/ambient/status.go), and ours
// where it has none.
const (
	WaypointAccepted                = "WaypointAccepted"
	WaypointIsNotReady              = "WaypointIsNotReady"
	AttachmentDenied                = "AttachmentDenied"
	UnsupportedTrafficType          = "UnsupportedTrafficType"
	CrossNamespaceWaypointForbidden = "CrossNamespaceWaypointForbidden"
	ReasonUnknown                   = "Unknown"
)

// Binding is whether an object is bound to a waypoint, or why not.
type Binding struct {
	Asked
	Gateway *Object // the waypoint asked for, where it is in the input
	Bound   bool
	Reason  string // "" where nothing is asked for
	Missing string // for ReasonUnknown: what to add to the input, as in "Namespace shop"
	Ingress bool   // ingress gateways send through the waypoint too
}

// Waypoint names the waypoint that is asked for.
func (b Binding) Waypoint() Ref {
	return Ref{APIVersion: Gateway.APIVersion(), Kind: Gateway.String(), Namespace: b.Namespace, Name: b.Name}
}

// Binding says which waypoint a Service, ServiceEntry or WorkloadEntry is bound to.
func (s *Snapshot) Binding(o *Object) Binding {
	switch o.Kind {
	case Service, ServiceEntry:
		b := s.serviceBinding(o)
		b.Ingress = b.Bound && s.IngressUsesWaypoint(o)
		return b
	case WorkloadEntry:
		w := entryWorkload(o, o.Name, o.Spec.(*WorkloadEntrySpec))
		return s.WorkloadBinding(WorkloadEntry, w)
	}
	return Binding{}
}

// serviceBinding is ambient/waypoints.go fetchWaypointForService.
func (s *Snapshot) serviceBinding(o *Object) Binding {
	switch o.Labels[label.GatewayManaged.Name] {
	case managedMesh, "istio.io-eastwest-controller":
		return Binding{}
	}
	if ExternalName(o) {
		return Binding{}
	}
	b := s.resolve(o.Kind, o.Namespace, o.Labels)
	if !b.Bound {
		return b
	}
	if !ServesServices(s.TrafficType(b.Gateway)) {
		b.Bound, b.Reason = false, UnsupportedTrafficType
		return b
	}
	if o.Kind == ServiceEntry && b.Namespace != o.Namespace && s.visibilityOf(o.Namespace) == "NAMESPACE" {
		b.Bound, b.Reason = false, CrossNamespaceWaypointForbidden
	}
	return b
}

// WorkloadBinding says which waypoint takes the traffic that is addressed to a workload itself
// (ambient/waypoints.go fetchWaypointForWorkload). A waypoint for services that is inherited from
// the Namespace is silently none.
func (s *Snapshot) WorkloadBinding(kind Kind, w *Workload) Binding {
	if name := w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]; name != "" {
		if gw := s.Get(Gateway, w.Namespace, name); gw != nil && Ready(gw) {
			return Binding{}
		}
	}
	b := s.resolve(kind, w.Namespace, w.Labels)
	if !b.Bound || ServesWorkloads(s.TrafficType(b.Gateway)) {
		return b
	}
	if b.By == "Namespace" {
		return Binding{}
	}
	b.Bound, b.Reason = false, UnsupportedTrafficType
	return b
}

func (s *Snapshot) resolve(kind Kind, ns string, labels map[string]string) Binding {
	b := Binding{Asked: s.AskedWaypoint(kind, ns, labels)}
	switch b.Opt {
	case NotKnown:
		b.Reason, b.Missing = ReasonUnknown, "Namespace "+ns
		return b
	case Asks:
	default:
		return b
	}
	b.Gateway = s.Get(Gateway, b.Namespace, b.Name)
	switch {
	case b.Gateway == nil && !s.Known(b.Namespace) && b.Namespace != "":
		b.Reason, b.Missing = ReasonUnknown, "Gateway "+b.Namespace+"/"+b.Name
	case b.Gateway == nil, !Ready(b.Gateway):
		b.Reason = WaypointIsNotReady
	case !s.allows(b.Gateway, ns):
		b.Reason = AttachmentDenied
		if !s.Known(ns) && s.allowsBySelector(b.Gateway) {
			b.Reason, b.Missing = ReasonUnknown, "Namespace "+ns
		}
	default:
		b.Bound, b.Reason = true, WaypointAccepted
	}
	return b
}

// allows is whether a waypoint lets objects of a namespace attach (ambient/waypoints.go
// makeAllowedRoutes, AllowsAttachmentFromNamespace).
func (s *Snapshot) allows(gw *Object, ns string) bool {
	l := s.AttachmentListener(gw)
	if l == nil || l.AllowedRoutes == nil || l.AllowedRoutes.Namespaces == nil {
		return gw.Namespace == ns
	}
	switch from := l.AllowedRoutes.Namespaces; from.From {
	case "All":
		return true
	case "Selector":
		return from.Selector.Matches(s.NamespaceLabels(ns))
	default:
		return gw.Namespace == ns
	}
}

func (s *Snapshot) allowsBySelector(gw *Object) bool {
	l := s.AttachmentListener(gw)
	return l != nil && l.AllowedRoutes != nil && l.AllowedRoutes.Namespaces != nil && l.AllowedRoutes.Namespaces.From == "Selector"
}

// AttachmentListener is the listener whose allowedRoutes decide who may attach; nil where there is
// none and only the waypoint's own namespace may.
func (s *Snapshot) AttachmentListener(gw *Object) *Listener {
	body := gw.Spec.(*GatewayBody)
	if protocol, port, ok := strings.Cut(s.inboundBinding(gw), "/"); protocol == "NONE" || protocol == "PROXY" {
		n, _ := strconv.Atoi(port)
		for i, l := range body.Spec.Listeners {
			if ok && n != 0 && l.Port == int32(n) || n == 0 && protocol == "PROXY" && l.Protocol == "istio.io/PROXY" {
				return &body.Spec.Listeners[i]
			}
		}
	}
	for i, l := range body.Spec.Listeners {
		if l.Protocol == "HBONE" && l.Port == 15008 {
			return &body.Spec.Listeners[i]
		}
	}
	return nil
}

// IngressUsesWaypoint is whether ingress gateways are told to send through the object's waypoint
// (ambient/services.go ingressUseWaypointFromLabels): the object's own label counts, else its
// Namespace's; a value that is not a bool is false.
func (s *Snapshot) IngressUsesWaypoint(o *Object) bool {
	v, ok := o.Labels[label.IoIstioIngressUseWaypoint.Name]
	if !ok {
		v = s.NamespaceLabels(o.Namespace)[label.IoIstioIngressUseWaypoint.Name]
	}
	b, err := strconv.ParseBool(v)
	return err == nil && b
}

// BoundTo are the Services and ServiceEntries that are bound to a waypoint, sorted.
func (s *Snapshot) BoundTo(gw *Object) []*Object {
	var out []*Object
	take := func(o *Object) {
		if b := s.Binding(o); b.Bound && b.Gateway == gw {
			out = append(out, o)
		}
	}
	for _, o := range s.referrers(waypointKey(gw.Namespace, gw.Name)) {
		switch o.Kind {
		case Service, ServiceEntry:
			take(o)
		case Namespace:
			for _, kind := range []Kind{Service, ServiceEntry} {
				for _, svc := range s.List(kind, o.Name) {
					if _, own := svc.Labels[label.IoIstioUseWaypoint.Name]; !own {
						take(svc)
					}
				}
			}
		}
	}
	return sorted(out)
}

// WorkloadsBoundTo are the workloads whose own traffic goes through a waypoint.
func (s *Snapshot) WorkloadsBoundTo(gw *Object) []*Workload {
	if !ServesWorkloads(s.TrafficType(gw)) {
		return nil
	}
	var out []*Workload
	seen := map[string]bool{}
	for _, o := range s.referrers(waypointKey(gw.Namespace, gw.Name)) {
		ns := home(o)
		if seen[ns] {
			continue
		}
		seen[ns] = true
		for _, w := range s.Workloads(ns) {
			if b := s.WorkloadBinding(Pod, w); b.Bound && b.Gateway == gw {
				out = append(out, w)
			}
		}
	}
	return out
}
