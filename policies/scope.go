package policies

import (
	"fmt"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// reach is what a policy without targetRefs is about: its scope, and the workloads in it by what
// captures them.
type reach struct {
	target  Target
	ambient []*mesh.Workload
	sidecar []*mesh.Workload
	gateway []*mesh.Workload
	// waypoints are selected waypoint pods, which neither ztunnel nor a selector ever reaches.
	waypoints []*mesh.Workload
	spared    []sparedGateway
	outside   []*mesh.Workload // captured by nothing
	unknown   []*mesh.Workload
	// missing is what to add to the input before the scope can be judged, "" if nothing.
	missing string
}

func (r *reach) take(s *mesh.Snapshot, w *mesh.Workload) {
	switch w.Mode {
	case mesh.ModeAmbient:
		r.ambient = append(r.ambient, w)
	case mesh.ModeSidecar:
		r.sidecar = append(r.sidecar, w)
	case mesh.ModeGateway:
		r.takeGateway(s, w)
	case mesh.ModeWaypoint:
		r.waypoints = append(r.waypoints, w)
	case mesh.ModeUnknown:
		r.unknown = append(r.unknown, w)
	default:
		// What a ServiceEntry leads to is called from the mesh and is none of its workloads.
		if w.Source == nil || w.Source.Kind != mesh.ServiceEntry {
			r.outside = append(r.outside, w)
		}
	}
}

func (r *reach) empty() bool {
	return len(r.ambient)+len(r.sidecar)+len(r.gateway)+len(r.waypoints)+len(r.spared)+len(r.outside)+len(r.unknown) == 0
}

// reachOf is what a policy of the object's namespace with that selector is about. From the root
// namespace a policy reaches every namespace, with or without a selector.
func reachOf(s *mesh.Snapshot, o *mesh.Object, sel *mesh.WorkloadSelector) reach {
	var (
		r    reach
		want map[string]string
		root = o.Namespace == s.RootNamespace()
	)
	switch {
	case sel != nil && len(sel.MatchLabels) > 0:
		want = sel.MatchLabels
		r.target = Target{Kind: ScopeSelector, Namespace: o.Namespace, Labels: want}
		if root {
			r.target.Namespace = ""
		}
	case root:
		r.target = Target{Kind: ScopeMesh}
	default:
		r.target = Target{Kind: ScopeNamespace, Name: o.Namespace}
	}
	if !root {
		r.fill(s, o.Namespace, want)
		return r
	}
	for ns := range s.Namespaces() {
		if want == nil || s.HasWorkloads(ns) || len(s.GatewayPods(ns, want)) > 0 {
			r.fill(s, ns, want)
		}
	}
	r.inMesh()
	if r.empty() && r.missing == "" {
		r.missing = "the workloads that it is about"
	}
	return r
}

// inMesh drops, from the scope of a mesh-wide policy, what nothing captures, where something is: a mesh
// has always workloads outside it, and nobody means them.
func (r *reach) inMesh() {
	if r.target.Kind == ScopeMesh && len(r.ambient)+len(r.sidecar)+len(r.gateway) > 0 {
		r.outside = nil
	}
}

func (r *reach) fill(s *mesh.Snapshot, ns string, want map[string]string) {
	made := s.GatewayPods(ns, want)
	for _, w := range s.Select(ns, want) {
		if w.Source == nil && len(made) > 0 && w.Mode != mesh.ModeAmbient && w.Mode != mesh.ModeSidecar {
			continue // no need to imagine a plain pod beside those of the gateways
		}
		r.take(s, w)
	}
	for _, w := range made {
		r.take(s, w)
	}
	if !s.Known(ns) && r.empty() {
		r.missing = "Namespace " + ns
	}
}

// count is how many of the workloads really are in the input.
func count(workloads []*mesh.Workload) int {
	n := 0
	for _, w := range workloads {
		if w.Source != nil {
			n++
		}
	}
	return n
}

// whyOutside explains why workloads are not captured, by the first of them.
func whyOutside(workloads []*mesh.Workload) string {
	real := count(workloads)
	for _, w := range workloads {
		switch {
		case real == 0:
			return "the pods are not captured: " + w.Why
		case w.Source == nil:
		case real == 1:
			return fmt.Sprintf("%s is not captured: %s", w.Source, w.Why)
		default:
			return fmt.Sprintf("%d workloads are not captured, among them %s: %s", real, w.Source, w.Why)
		}
	}
	return "nothing captures the pods"
}

// byItself is why enrolling the Namespace would not help a workload, as what to do instead; "" where it would.
func byItself(w *mesh.Workload) string {
	switch {
	case w.Source != nil && (w.Source.Kind == mesh.WorkloadEntry || w.Source.Kind == mesh.ServiceEntry):
		return "Bind the policy to its Service or ServiceEntry with targetRefs, so that a waypoint enforces it."
	case w.HostNetwork:
		return "Take the pods off the host's network, or guard them by other means."
	case w.Labels[label.IoIstioDataplaneMode.Name] == "none":
		return fmt.Sprintf("Remove label %s=none from the pods, or leave them out of the policy.", label.IoIstioDataplaneMode.Name)
	}
	return ""
}

func howToEnrol(s *mesh.Snapshot, workloads []*mesh.Workload) string {
	if how := byItself(workloads[0]); how != "" {
		return how
	}
	if s.NamespaceLabels(workloads[0].Namespace)[label.IoIstioDataplaneMode.Name] == "ambient" {
		return "Find out why istio-cni leaves them out, or guard them by other means."
	}
	return fmt.Sprintf("Enrol them (label %s=ambient on the Namespace), or leave them out of the policy.", label.IoIstioDataplaneMode.Name)
}

// enrolWait is the label whose appearance would enrol the workloads of a scope; none where a label
// is not what is missing.
func enrolWait(s *mesh.Snapshot, workloads []*mesh.Workload) []Wait {
	seen := map[string]bool{}
	var out []Wait
	for _, w := range workloads {
		if byItself(w) != "" || s.NamespaceLabels(w.Namespace)[label.IoIstioDataplaneMode.Name] == "ambient" {
			return nil
		}
		if !seen[w.Namespace] {
			seen[w.Namespace] = true
			out = append(out, Wait{Label: label.IoIstioDataplaneMode.Name, On: &mesh.Ref{APIVersion: "v1", Kind: "Namespace", Name: w.Namespace}})
		}
	}
	return out
}
