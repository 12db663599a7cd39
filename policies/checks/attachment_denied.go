package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A waypoint of another namespace whose listener does not let the asking namespace attach
// (ambient/waypoints.go makeAllowedRoutes): without allowedRoutes only its own namespace may. And a
// ServiceEntry that is visible in its namespace only, which may never use a waypoint of another.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/attachment-denied",
	Title:    "A waypoint that does not let the namespace attach",
	Severity: policies.High,
	Kinds:    carriers,
	Cases:    []int{61, 73},
	Controls: authorization(),
	Doc: `A waypoint serves other namespaces only if allowedRoutes.namespaces of its HBONE listener lets them. Without that,
what asks for it is bound to nothing, and its calls go straight to the pods. A ServiceEntry whose visibility is its own
namespace can only use a waypoint there (Istio 1.31 and newer).`,
	Remedy: "Let the namespace attach, by allowedRoutes of the waypoint's listener, or use a waypoint of the namespace.",
	Run: func(p *policies.Pass) {
		a, ok := askOf(p)
		if !ok {
			return
		}
		rely := relying(p, a.services)
		f := policies.Finding{Severity: weight(rely, len(a.services)), Field: a.field, Related: refsOf(rely)}
		switch a.Reason {
		case mesh.AttachmentDenied:
			f.Related = append([]mesh.Ref{a.Waypoint()}, f.Related...)
			f.Message = fmt.Sprintf("%s without passing a waypoint: the listener of waypoint %s/%s does not let Namespace %s attach%s.", calls(p.Object), a.Namespace, a.Name, p.Object.Home(), because(rely))
		case mesh.CrossNamespaceWaypointForbidden:
			f.Message = fmt.Sprintf("%s without passing a waypoint: its visibility is its own Namespace, and waypoint %s/%s is in another%s.", calls(p.Object), a.Namespace, a.Name, because(rely))
			f.Remedy = "Make a waypoint in Namespace " + p.Object.Namespace + ", or change serviceEntryVisibility of the mesh configuration."
		default:
			return
		}
		p.Report(f)
	},
})
