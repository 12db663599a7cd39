package checks

import (
	"fmt"

	"istio.io/api/annotation"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A canary waypoint that is not used. istiod says so only in the message of a condition that is True
// (ambient/waypoints.go buildWeightedWaypoints), or not at all.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/canary",
	Title:    "A canary waypoint that is not used",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.Service, mesh.ServiceEntry, mesh.Namespace},
	Cases:    []int{74},
	Controls: configuration(),
	Doc: `The labels istio.io/use-waypoint-canary and the annotation istio.io/use-waypoint-canary-weight send a share of the
calls through a second waypoint. They count only where the first waypoint is named, on the object or on its Namespace; the weight is
a number from 0 to 100; the second waypoint is another than the first, and usable. Otherwise everything goes through the
first. Istio 1.30 and older know no canaries.`,
	Remedy: "Correct the label or the weight.",
	Run: func(p *policies.Pass) {
		key := label.IoIstioUseWaypointCanary.Name
		v := p.Object.Labels[key]
		if v == "" || v == "none" {
			return
		}
		field := "metadata.labels[" + key + "]"
		if !p.Settings().Version.AtLeast(1, 31, 0) {
			p.Report(policies.Finding{Severity: policies.Low, Field: field, Remedy: "Update Istio to 1.31 or newer.",
				Message: fmt.Sprintf("the canary waypoint %s takes no calls: in Istio 1.30 and older nobody reads label %s.", v, key)})
			return
		}
		services := touched(p, p.Object)
		for _, svc := range services {
			c := p.Canary(svc)
			if c.Reason == "" || c.Reason == mesh.ReasonUnknown || c.On != p.Object || !p.Binding(svc).Bound {
				continue
			}
			f := policies.Finding{Field: field, Message: fmt.Sprintf("the canary waypoint %s/%s takes no calls to %s: %s.", c.Namespace, c.Name, short(svc), whyNoCanary(c))}
			switch c.Reason {
			case mesh.CanarySameAsPrimary:
				f.Fixes = []policies.Fix{{Message: "remove the label, which changes no traffic", Patch: []policies.Op{{Op: "remove", Path: policies.Pointer("metadata", "labels", key)}}}}
			case mesh.WaypointIsNotReady:
				f.WaitsFor = []policies.Wait{{Object: &mesh.Ref{APIVersion: mesh.Gateway.APIVersion(), Kind: mesh.Gateway.String(), Namespace: c.Namespace, Name: c.Name}}}
			case mesh.CanaryInvalidWeight:
				f.Field = "metadata.annotations[" + annotation.IoIstioUseWaypointCanaryWeight.Name + "]"
			}
			p.Report(f)
			return // one finding on the object that carries the label
		}
	},
})

func whyNoCanary(c mesh.Canary) string {
	switch c.Reason {
	case mesh.CanarySameAsPrimary:
		return "it is the waypoint that takes them anyway"
	case mesh.CanaryInvalidWeight:
		return "its weight is not a number from 0 to 100"
	case mesh.CanaryNotAsked:
		return "the waypoint itself is named on the other of Service and Namespace, and both are read from one of them"
	case mesh.AttachmentDenied:
		return "it does not let the Namespace attach"
	case mesh.UnsupportedTrafficType:
		return "it is not for traffic to Services"
	}
	return "it is not ready"
}
