package mesh

import (
	"strconv"

	"istio.io/api/annotation"
	"istio.io/api/label"
)

// istiod's words for a canary waypoint that it leaves out (pilot/pkg/serviceregistry/ambient/status.go).
const (
	CanaryInvalidWeight = "CanaryInvalidWeight"
	CanarySameAsPrimary = "CanarySameAsPrimary"
	// CanaryNotAsked is ours: there is a canary label, and istiod does not read it.
	CanaryNotAsked = "CanaryNotAsked"
)

// Canary is the second waypoint that takes a share of a Service's traffic.
type Canary struct {
	Namespace, Name string
	On              *Object // what carries the label: the object or its Namespace; nil where nothing does
	Gateway         *Object
	Weight          int // in percent
	Attached        bool
	Reason          string // why it is not attached, "" where it is or where none is asked for
}

// Canary says which canary waypoint a Service or ServiceEntry has (ambient/waypoints.go
// buildWeightedWaypoints). It is read from where the primary is read: from the Namespace only if the
// object names no waypoint of its own. Istio 1.30 and older know no canaries.
func (s *Snapshot) Canary(o *Object) Canary {
	if !s.settings.Version.AtLeast(1, 31, 0) || o.Kind != Service && o.Kind != ServiceEntry {
		return Canary{}
	}
	primary := s.Binding(o)
	ns := s.Get(Namespace, "", o.Namespace)
	on := canaryLabelled(o, ns)
	if on == nil {
		return Canary{}
	}
	c := Canary{Namespace: o.Namespace, Name: on.Labels[label.IoIstioUseWaypointCanary.Name], On: on}
	if v, ok := on.Labels[label.IoIstioUseWaypointCanaryNamespace.Name]; ok {
		c.Namespace = v
	}
	if !primary.Bound || on != o && primary.By != Namespace.String() {
		c.Reason = CanaryNotAsked
		return c
	}
	weighted := o
	if _, own := o.Annotations[annotation.IoIstioUseWaypointCanaryWeight.Name]; !own && primary.By == Namespace.String() && ns != nil {
		weighted = ns
	}
	var valid bool
	c.Weight, valid = canaryWeight(weighted)
	switch same := c.Namespace == primary.Namespace && c.Name == primary.Name; {
	case same:
		c.Reason = CanarySameAsPrimary
	case !valid:
		c.Reason = CanaryInvalidWeight
	default:
		c.Gateway, c.Reason = s.usableWaypoint(c.Namespace, c.Name, o.Namespace)
		c.Attached = c.Reason == ""
	}
	return c
}

func canaryLabelled(o, ns *Object) *Object {
	for _, on := range []*Object{o, ns} {
		if on == nil {
			continue
		}
		if v, ok := on.Labels[label.IoIstioUseWaypointCanary.Name]; ok {
			if v == "" || v == none {
				return nil
			}
			return on
		}
	}
	return nil
}

func canaryWeight(o *Object) (int, bool) {
	v, ok := o.Annotations[annotation.IoIstioUseWaypointCanaryWeight.Name]
	if !ok {
		return 0, true
	}
	n, err := strconv.Atoi(v)
	return n, err == nil && n >= 0 && n <= 100
}

// usableWaypoint is the waypoint of that name for the Services of a namespace, or why it cannot be used.
func (s *Snapshot) usableWaypoint(ns, name, from string) (*Object, string) {
	gw := s.Get(Gateway, ns, name)
	switch {
	case gw == nil && !s.Known(ns) && ns != "":
		return nil, ReasonUnknown
	case gw == nil, !Ready(gw):
		return gw, WaypointIsNotReady
	case !s.Known(from) && s.allowsBySelector(gw):
		return gw, ReasonUnknown
	case !s.admits(gw, from):
		return gw, AttachmentDenied
	case !ServesServices(s.TrafficType(gw)):
		return gw, UnsupportedTrafficType
	}
	return gw, ""
}
