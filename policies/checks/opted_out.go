package checks

import (
	"fmt"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A Service that opts out of its Namespace's waypoint while policies name it that only a waypoint
// enforces.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/opted-out",
	Title:    "A Service with policies for its waypoint opts out of waypoints",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.Service, mesh.ServiceEntry},
	Cases:    []int{69, 138},
	Controls: authorization(),
	Doc: `The value none of label istio.io/use-waypoint takes the Service out of its Namespace's waypoint. Policies that
name the Service in targetRefs are then enforced by nobody.`,
	Remedy: "Remove the label, or the policies.",
	Run: func(p *policies.Pass) {
		o := p.Object
		if o.Labels[label.IoIstioUseWaypoint.Name] != "none" || p.NamespaceBinding(o.Namespace).Opt != mesh.Asks {
			return
		}
		rely := relying(p, []*mesh.Object{o})
		if len(rely) == 0 {
			return
		}
		f := policies.Finding{
			Severity: weight(rely, 0), Field: useWaypointField, Related: refsOf(rely),
			Message: fmt.Sprintf("%s without passing a waypoint: its label %s=none hides the Namespace's%s.", calls(o), label.IoIstioUseWaypoint.Name, because(rely)),
		}
		if r := relabelled(p, o, label.IoIstioUseWaypoint.Name, ""); r.safe && p.NamespaceBinding(o.Namespace).Bound && len(o.Labels) > 0 {
			f.Fixes = []policies.Fix{{
				Message: fmt.Sprintf("remove the label, which binds it to waypoint %s%s", p.NamespaceBinding(o.Namespace).Gateway.Key(), r.then()),
				Patch:   []policies.Op{{Op: "remove", Path: policies.Pointer("metadata", "labels", label.IoIstioUseWaypoint.Name)}},
			}}
		}
		p.Report(f)
	},
})
