package mesh

import (
	"cmp"
	"strings"

	"istio.io/api/label"
)

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

// optionalClasses are installed only where a feature is on (gatewaycommon/classinfo.go).
var optionalClasses = map[string]bool{
	"istio-east-west": true, "istio-agentgateway": true, "istio-agentgateway-waypoint": true,
}

// ClassNamed is what runs the Gateways of a GatewayClass. exists is false where the input shows that
// there is no such class: istiod makes its own classes all at once, so where one of them is shown, or
// any comes from a cluster, the list is whole. Those that every istiod makes need not be shown.
func (s *Snapshot) ClassNamed(name string) (class Class, exists bool) {
	if o := s.Get(GatewayClass, "", name); o != nil {
		if c, ok := controllers[o.Spec.(*GatewayClassSpec).ControllerName]; ok {
			return c, true
		}
		return ClassForeign, true
	}
	c, ours := installedClasses[name]
	if ours && !optionalClasses[name] {
		return c, true
	}
	for _, o := range s.List(GatewayClass, "") {
		if _, istio := installedClasses[o.Name]; istio || o.Live {
			return ClassUnknown, false
		}
	}
	if ours {
		return c, true
	}
	return ClassUnknown, true
}

// ClassOf is what runs a Gateway.
func (s *Snapshot) ClassOf(gw *Object) Class {
	c, _ := s.ClassNamed(gw.Spec.(*GatewayBody).Spec.GatewayClassName)
	return c
}

// LeavesRoutesTo is the Gateway to whose controller istiod leaves the routes for calls to a Service or
// ServiceEntry; nil where it makes them itself. A use-waypoint label that names another controller's
// Gateway is enough: whether the waypoint is ready, or lets the object attach, is not asked, and
// sidecars do not get the routes either (pilot/pkg/config/kube/gateway/conversion.go
// waypointManagedByAnotherController).
func (s *Snapshot) LeavesRoutesTo(o *Object) *Object {
	if !s.settings.Version.AtLeast(1, 31, 0) {
		return nil // nobody but istiod ran waypoints
	}
	labels := o.Labels
	if _, own := labels[label.IoIstioUseWaypoint.Name]; !own {
		labels = s.NamespaceLabels(o.Namespace)
	}
	name := labels[label.IoIstioUseWaypoint.Name]
	if name == "" || strings.EqualFold(name, none) {
		return nil
	}
	gw := s.Get(Gateway, cmp.Or(labels[label.IoIstioUseWaypointNamespace.Name], o.Namespace), name)
	if gw == nil {
		return nil
	}
	switch s.ClassOf(gw) {
	case ClassWaypoint, ClassGateway, ClassUnknown:
		return nil
	}
	return gw
}
