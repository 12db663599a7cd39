package mesh

import (
	"strconv"
	"strings"

	"istio.io/api/annotation"
	"istio.io/api/label"
)

const (
	managedMesh     = "istio.io-mesh-controller"
	managedEastWest = "istio.io-eastwest-controller"
)

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

// askedWaypoint reads istio.io/use-waypoint from the object's labels, else from its Namespace's
// (ambient/waypoints.go fetchWaypointForTarget). What the object asks for is never completed, nor
// replaced when it is not usable, by what the Namespace asks for.
func (s *Snapshot) askedWaypoint(kind Kind, ns string, labels map[string]string) Asked {
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

// Binding says which waypoint a Service, ServiceEntry or WorkloadEntry is bound to, as istiod reports
// it in the condition istio.io/WaypointBound.
func (s *Snapshot) Binding(o *Object) Binding {
	switch o.Kind {
	case Service, ServiceEntry:
		if ExternalName(o) {
			return Binding{} // istiod drops these before it looks at their labels
		}
		if o.Kind == ServiceEntry && s.Taken(o) {
			return Binding{}
		}
		return s.LabelledBinding(o)
	case WorkloadEntry:
		if s.OtherRevision(o) {
			return Binding{}
		}
		w := entryWorkload(o, o.Name, o.Spec.(*WorkloadEntrySpec))
		return s.WorkloadBinding(WorkloadEntry, w)
	}
	return Binding{}
}

// NamespaceBinding is which waypoint a Namespace's labels give to the Services in it that say nothing
// of their own.
func (s *Snapshot) NamespaceBinding(ns string) Binding {
	b := s.resolve(Service, ns, nil)
	if b.Bound && !ServesServices(s.TrafficType(b.Gateway)) {
		b.Bound, b.Reason = false, UnsupportedTrafficType
	}
	return b
}

// LabelledBinding is what the labels of a Service or ServiceEntry alone say, whatever its type: that
// is how istiod judges a targetRef to it (ambient/policies.go WaypointPolicyStatusCollection,
// ambient/waypoints.go fetchWaypointForService).
func (s *Snapshot) LabelledBinding(o *Object) Binding {
	if instanceOfMesh(o) || o.Kind == ServiceEntry && s.OtherRevision(o) {
		return Binding{}
	}
	b := s.resolve(o.Kind, o.Namespace, o.Labels)
	switch {
	case !b.Bound:
	case !ServesServices(s.TrafficType(b.Gateway)):
		b.Bound, b.Reason = false, UnsupportedTrafficType
	case o.Kind == ServiceEntry && b.Namespace != o.Namespace && s.visibilityOf(o.Namespace) == "NAMESPACE":
		b.Bound, b.Reason = false, CrossNamespaceWaypointForbidden
	}
	b.Ingress = b.Bound && s.ingressThrough(o)
	return b
}

// instanceOfMesh is whether the object is the Service of a waypoint or east-west gateway, which has
// no waypoint itself.
func instanceOfMesh(o *Object) bool {
	managed := o.Labels[label.GatewayManaged.Name]
	return managed == managedMesh || managed == managedEastWest
}

// ingressThrough is whether ingress gateways send through the waypoint of a bound object
// (xds/endpoints/endpoint_builder.go findServiceWaypoint): only where told to, and only to a VIP.
func (s *Snapshot) ingressThrough(o *Object) bool {
	return s.IngressUsesWaypoint(o) && !Headless(o) && s.settings.Flag("ENABLE_INGRESS_WAYPOINT_ROUTING", true)
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
	b := Binding{Asked: s.askedWaypoint(kind, ns, labels)}
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
	case !s.Known(ns) && s.allowsBySelector(b.Gateway):
		b.Reason, b.Missing = ReasonUnknown, "Namespace "+ns
	case !s.admits(b.Gateway, ns):
		b.Reason = AttachmentDenied
	default:
		b.Bound, b.Reason = true, WaypointAccepted
	}
	return b
}

// admits is whether a waypoint lets objects of a namespace attach (ambient/waypoints.go
// makeAllowedRoutes, AllowsAttachmentFromNamespace).
func (s *Snapshot) admits(gw *Object, ns string) bool {
	l := s.AttachmentListener(gw)
	if l == nil {
		return gw.Namespace == ns
	}
	return s.ListenerAdmits(l, gw.Namespace, ns)
}

// ListenerAdmits is whether a listener of a Gateway in namespace own takes what comes from another.
func (s *Snapshot) ListenerAdmits(l *Listener, own, ns string) bool {
	if l.AllowedRoutes == nil || l.AllowedRoutes.Namespaces == nil {
		return own == ns
	}
	switch from := l.AllowedRoutes.Namespaces; from.From {
	case "All":
		return true
	case "Selector":
		return from.Selector.Matches(s.NamespaceLabels(ns))
	}
	return own == ns
}

// AdmitsOthers is whether a waypoint lets objects of any other namespace than its own attach.
func (s *Snapshot) AdmitsOthers(gw *Object) bool {
	l := s.AttachmentListener(gw)
	return l != nil && l.AllowedRoutes != nil && l.AllowedRoutes.Namespaces != nil &&
		(l.AllowedRoutes.Namespaces.From == "All" || l.AllowedRoutes.Namespaces.From == "Selector")
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
	return True(v)
}

// True is whether a label or annotation says so; what is no bool does not. Most objects have none.
func True(value string) bool {
	if value == "" {
		return false // without an error to make
	}
	b, err := strconv.ParseBool(value)
	return err == nil && b
}

// BoundTo are the Services and ServiceEntries that are bound to a waypoint, sorted.
func (s *Snapshot) BoundTo(gw *Object) []*Object {
	var out []*Object
	for _, o := range s.referrers(waypointKey(gw.Namespace, gw.Name)) {
		for _, svc := range s.servicesUnder(o) {
			b := s.Binding(svc)
			if b.Bound && b.Gateway == gw {
				out = append(out, svc)
			} else if c := s.Canary(svc); c.Attached && c.Gateway == gw {
				out = append(out, svc)
			}
		}
	}
	return sorted(out)
}

// servicesUnder are the Services and ServiceEntries to which the object's labels may apply: itself, or
// those of the Namespace that say nothing of their own.
func (s *Snapshot) servicesUnder(o *Object) []*Object {
	switch o.Kind {
	case Service, ServiceEntry:
		return []*Object{o}
	case Namespace:
		return s.Inheriting(o.Name)
	}
	return nil
}

// Inheriting are the Services and ServiceEntries of a namespace that take their waypoint from its label.
func (s *Snapshot) Inheriting(ns string) []*Object {
	var out []*Object
	for _, kind := range []Kind{Service, ServiceEntry} {
		for _, o := range s.List(kind, ns) {
			if _, own := o.Labels[label.IoIstioUseWaypoint.Name]; !own && !instanceOfMesh(o) && !ExternalName(o) {
				out = append(out, o)
			}
		}
	}
	return out
}

// WorkloadsBoundTo are the workloads whose own traffic goes through a waypoint.
func (s *Snapshot) WorkloadsBoundTo(gw *Object) []*Workload {
	if !ServesWorkloads(s.TrafficType(gw)) {
		return nil
	}
	var out []*Workload
	seen := map[string]bool{}
	for _, o := range s.referrers(waypointKey(gw.Namespace, gw.Name)) {
		ns := o.Home()
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
