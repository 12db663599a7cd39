package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// subject is what policies can guard: the Services, workloads and gateways that an object stands for.
type subject struct {
	object    *mesh.Object
	services  []*mesh.Object // Services and ServiceEntries
	workloads []*mesh.Workload
	gateways  []*mesh.Object // the Gateways that calls pass: waypoints, or the object itself
	// alone limits the effects to those at the gateways: what a waypoint's Services have besides
	// is theirs.
	alone bool

	facts []string
	at    map[policies.EnforcedBy][]string // facts by layer
}

// subjectOf is what an object stands for; ok is false for an object that nothing guards.
func subjectOf(s *mesh.Snapshot, o *mesh.Object) (sub *subject, ok bool) {
	sub = &subject{object: o, at: map[policies.EnforcedBy][]string{}}
	switch o.Kind {
	case mesh.Service, mesh.ServiceEntry:
		sub.ofService(s)
	case mesh.Gateway:
		sub.ofGateway(s)
	case mesh.Namespace:
		sub.ofNamespace(s)
	case mesh.Pod, mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Job, mesh.CronJob, mesh.WorkloadEntry:
		sub.ofWorkload(s)
	default:
		return nil, false
	}
	return sub, true
}

func (sub *subject) ofService(s *mesh.Snapshot) {
	o := sub.object
	sub.services = []*mesh.Object{o}
	workloads, shown := s.Backends(o)
	sub.workloads = workloads
	var ports []string
	for _, p := range s.Ports(o) {
		ports = append(ports, fmt.Sprintf("%d %s", p.Number, p.Protocol))
	}
	sub.facts = append(sub.facts, fmt.Sprintf("Ports: %s. Hosts: %s.", orNone(ports), orNone(s.HostsOf(o))))
	if !shown {
		sub.facts = append(sub.facts, "No pod behind it is in the input; it is judged as if a plain one stood there.")
	}
	sub.capture()
	sub.bind(s, o)
	for _, r := range s.RoutesTo(o) {
		sub.facts = append(sub.facts, fmt.Sprintf("%s leads to it.", r))
	}
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// bind enters the waypoint of a Service, or why it has none.
func (sub *subject) bind(s *mesh.Snapshot, svc *mesh.Object) {
	b := s.Binding(svc)
	if b.Bound && b.Gateway != nil && !slices.Contains(sub.gateways, b.Gateway) {
		sub.gateways = append(sub.gateways, b.Gateway)
	}
	text := ""
	switch {
	case b.Reason != "":
		text = BindingMessage(s, svc, b)
	case b.Opt == mesh.OptsOut:
		text = fmt.Sprintf("calls go straight to the pods: %s opts out with label %s=none.", svc, label.IoIstioUseWaypoint.Name)
	case mesh.ExternalName(svc):
		text = fmt.Sprintf("%s is of type ExternalName, which has no waypoint.", svc)
	case awaited(s, svc) != "":
		text = awaited(s, svc)
	default:
		text = fmt.Sprintf("calls go straight to the pods: neither %s nor Namespace %s asks for a waypoint (label %s).", svc, svc.Namespace, label.IoIstioUseWaypoint.Name)
	}
	sub.at[policies.Waypoint] = append(sub.at[policies.Waypoint], text)
}

// awaited says which waypoint is being made for a Service; "" where none is.
func awaited(s *mesh.Snapshot, svc *mesh.Object) string {
	gw, on := s.Awaited(svc)
	if gw == nil {
		return ""
	}
	why := ""
	if unready := s.Unready(gw); unready != "" {
		why = " Until then: " + unready + "."
	}
	return fmt.Sprintf("calls go straight to the pods for now: Waywarden makes waypoint %s for %s, and labels %s when it is ready.%s", gw.Key(), svc, on, why)
}

// capture enters what captures the workloads.
func (sub *subject) capture() {
	byMode := map[mesh.Mode][]*mesh.Workload{}
	for _, w := range sub.workloads {
		byMode[w.Mode] = append(byMode[w.Mode], w)
	}
	for _, mode := range slices.Sorted(maps.Keys(byMode)) {
		some := byMode[mode]
		text := fmt.Sprintf("%s: %s.", namesOf(some), some[0].Why)
		switch mode {
		case mesh.ModeAmbient:
			sub.at[policies.Ztunnel] = append(sub.at[policies.Ztunnel], "captures "+text)
		case mesh.ModeSidecar:
			sub.at[policies.Sidecar] = append(sub.at[policies.Sidecar], text)
		case mesh.ModeGateway, mesh.ModeWaypoint:
			sub.facts = append(sub.facts, text)
		case mesh.ModeUnknown:
			sub.facts = append(sub.facts, "Nobody can tell what captures "+text)
		default:
			sub.at[policies.Ztunnel] = append(sub.at[policies.Ztunnel], "does not capture "+text)
		}
	}
}

// named is how many workloads are named before they are only counted.
const named = 3

func namesOf(workloads []*mesh.Workload) string {
	var names []string
	for _, w := range workloads[:min(named, len(workloads))] {
		names = append(names, workloadName(w))
	}
	text := strings.Join(names, ", ")
	if more := len(workloads) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (sub *subject) captured() []*mesh.Workload {
	return slices.DeleteFunc(slices.Clone(sub.workloads), func(w *mesh.Workload) bool { return w.Mode != mesh.ModeAmbient })
}

func (sub *subject) ofWorkload(s *mesh.Snapshot) {
	o := sub.object
	sub.workloads = workloadsOf(s, o)
	if len(sub.workloads) == 0 {
		sub.facts = append(sub.facts, "It has no running pod, and its template counts for nothing beside those that run.")
		return
	}
	for _, w := range sub.workloads {
		for _, svc := range s.ServicesOf(w) {
			if !slices.Contains(sub.services, svc) {
				sub.services = append(sub.services, svc)
			}
		}
	}
	var names []string
	for _, svc := range sub.services {
		names = append(names, svc.String())
	}
	sub.facts = append(sub.facts, fmt.Sprintf("Behind: %s.", orNone(names)))
	sub.capture()
	for _, svc := range sub.services {
		sub.bind(s, svc)
	}
	w := sub.workloads[0]
	if b := s.WorkloadBinding(mesh.Pod, w); b.Bound {
		sub.gateways = append(sub.gateways, b.Gateway)
		sub.at[policies.Waypoint] = append(sub.at[policies.Waypoint], fmt.Sprintf("calls addressed to the pods themselves pass waypoint %s/%s.", b.Namespace, b.Name))
	} else {
		sub.at[policies.Waypoint] = append(sub.at[policies.Waypoint], "calls addressed to the pods themselves pass no waypoint.")
	}
}

// workloadsOf are the workloads that an object stands for: itself, or the pods that its template made.
func workloadsOf(s *mesh.Snapshot, o *mesh.Object) []*mesh.Workload {
	var own []*mesh.Workload
	for _, w := range s.Workloads(o.Namespace) {
		if w.Source == o {
			own = append(own, w)
		}
	}
	if len(own) > 0 {
		return own
	}
	var template *mesh.PodTemplate
	switch spec := o.Spec.(type) {
	case *mesh.PodOwner:
		template = &spec.Template
	case *mesh.CronJobSpec:
		template = &spec.JobTemplate.Spec.Template
	default:
		return nil
	}
	if len(template.Metadata.Labels) == 0 {
		return nil
	}
	for _, w := range s.Workloads(o.Namespace) {
		if w.Source != nil && w.Source.Kind == mesh.Pod && carries(w.Labels, template.Metadata.Labels) {
			own = append(own, w)
		}
	}
	return own
}

func carries(labels, want map[string]string) bool {
	for k, v := range want {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}
