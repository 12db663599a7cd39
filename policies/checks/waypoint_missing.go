package checks

import (
	"fmt"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A use-waypoint label that names a Gateway which does not exist. Traffic then goes straight to the
// pods, and nobody falls back to the Namespace's waypoint (ambient/waypoints.go
// fetchWaypointForTarget). Only the exact word "none" opts out: "None" is a waypoint's name.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/waypoint-missing",
	Title:    "A waypoint that does not exist",
	Severity: policies.High,
	Kinds:    carriers,
	Cases:    []int{59, 64, 65, 72},
	Controls: evidenceFor(authorization(), resilience()),
	Doc: `The label istio.io/use-waypoint names a waypoint that is not there. Calls are not held back: they go straight
to the pods, and every policy that needs the waypoint does nothing. A Service's own label also hides the waypoint of
its Namespace. The word to opt out is none, in lower case.`,
	Remedy: "Create the waypoint, or correct the label.",
	Run: func(p *policies.Pass) {
		a, ok := askOf(p)
		if !ok || a.Gateway != nil || a.Reason != mesh.WaypointIsNotReady {
			return
		}
		rely := relyingOn(p, a.services, a.Namespace, a.Name)
		f := policies.Finding{
			Severity: weight(rely, len(a.services)), Field: a.field, Related: refsOf(rely),
			Message: fmt.Sprintf("%s without passing a waypoint: there is no Gateway %s/%s%s.", calls(p.Object), a.Namespace, a.Name, because(rely)),
		}
		if a.Name != "" {
			waypoint := a.Waypoint()
			f.WaitsFor = []policies.Wait{{Object: &waypoint}}
		}
		spelling(p, a, &f, len(rely) > 0)
		p.Report(f)
	},
})

func calls(o *mesh.Object) string {
	if o.Kind == mesh.Namespace {
		return "calls to the Services of " + short(o) + " reach the pods"
	}
	return "calls to " + short(o) + " reach the pods"
}

// spelling finds values that are no names: "None" and "", and a namespace in the wrong place.
func spelling(p *policies.Pass, a ask, f *policies.Finding, relied bool) {
	key := label.IoIstioUseWaypoint.Name
	switch {
	case a.Name == "":
		f.Message = fmt.Sprintf("%s without passing a waypoint: an empty value of label %s names a waypoint without a name.", calls(p.Object), key)
		f.Remedy = "Name a waypoint, write none to opt out, or remove the label."
	case strings.EqualFold(a.Name, "none"):
		f.Message = fmt.Sprintf("%s without passing a waypoint, as if none was asked for: %q is read as a waypoint's name, because only the exact value none opts out.", calls(p.Object), a.Name)
		f.Remedy, f.WaitsFor = "Write none.", nil
		if !relied {
			f.Severity = policies.Low
			f.Fixes = []policies.Fix{{Message: "write none, which changes no traffic", Patch: labelOps(p.Object, key, "none")}}
		}
	case p.Object.Kind != mesh.Namespace && p.Object.Labels[label.IoIstioUseWaypointNamespace.Name] == "":
		byNamespace(p, a, f)
	}
}

// byNamespace is an object that names the waypoint while its Namespace names the waypoint's namespace:
// the two labels are never read together.
func byNamespace(p *policies.Pass, a ask, f *policies.Finding) {
	key := label.IoIstioUseWaypointNamespace.Name
	ns := p.NamespaceLabels(p.Object.Namespace)[key]
	if ns == "" || p.Get(mesh.Gateway, ns, a.Name) == nil {
		return
	}
	f.Message = strings.TrimSuffix(f.Message, ".") + fmt.Sprintf("; label %s=%s of the Namespace counts only together with the Namespace's own %s.", key, ns, label.IoIstioUseWaypoint.Name)
	f.Remedy = fmt.Sprintf("Set label %s=%s on %s.", key, ns, short(p.Object))
	if r := relabelled(p, p.Object, key, ns); r.safe {
		f.Fixes = []policies.Fix{{Message: fmt.Sprintf("bind it to waypoint %s/%s%s", ns, a.Name, r.then()), Patch: labelOps(p.Object, key, ns)}}
	}
}
