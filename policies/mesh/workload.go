package mesh

import (
	"slices"
	"strings"

	"istio.io/api/annotation"
	"istio.io/api/label"
)

// Mode is what captures a workload's inbound traffic.
type Mode string

// The modes of a workload.
const (
	ModeAmbient  Mode = "ambient"  // ztunnel
	ModeSidecar  Mode = "sidecar"  // a sidecar, whatever the labels say
	ModeGateway  Mode = "gateway"  // it is an ingress or egress gateway itself
	ModeWaypoint Mode = "waypoint" // it is a waypoint itself
	ModeNone     Mode = "none"     // nothing
	ModeUnknown  Mode = "unknown"  // depends on a Namespace that is not in the input
)

// Workload is something that accepts connections: a Pod, the pods that a template will make,
// a WorkloadEntry, or an endpoint of a ServiceEntry.
type Workload struct {
	Source         *Object // what it was read from; nil for a pod that is only imagined
	Namespace      string
	Name           string
	Labels         map[string]string
	Annotations    map[string]string
	ServiceAccount string
	Ports          []ContainerPort
	IPs            []string // empty where not known
	HostNetwork    bool
	Running        bool // a Pod with a status: its enrolment is a fact, not a prediction
	Mode           Mode
	Why            string // why it has this Mode, as a clause: "the Namespace has label …"
}

// Workloads are all workloads of a namespace. Pod templates count where no Pod of theirs is in the
// input. The slice is shared.
func (s *Snapshot) Workloads(ns string) []*Workload {
	n := s.namespace(ns)
	if n == nowhere {
		return nil
	}
	if w := n.workloads.Load(); w != nil {
		return *w
	}
	w := s.readWorkloads(n)
	n.workloads.Store(&w)
	return w
}

// workloadsUnchangedBy is whether an object of that kind leaves the workloads of its namespace as
// they are, so that an update need not read them again.
func workloadsUnchangedBy(k Kind) bool {
	switch k {
	case Namespace, Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob,
		WorkloadEntry, ServiceEntry, Gateway, IstioGateway:
		return false
	}
	return true
}

func (s *Snapshot) readWorkloads(n *namespace) []*Workload {
	var out []*Workload
	for _, o := range n.objects[Pod] {
		if w := podWorkload(o); w != nil {
			out = append(out, w)
		}
	}
	pods := out
	for k := Deployment; k <= CronJob; k++ {
		for _, o := range n.objects[k] {
			if w := templateWorkload(o, pods); w != nil {
				out = append(out, w)
			}
		}
	}
	for _, o := range n.objects[WorkloadEntry] {
		out = append(out, entryWorkload(o, o.Name, o.Spec.(*WorkloadEntrySpec)))
	}
	for _, o := range n.objects[ServiceEntry] {
		for i := range o.Spec.(*ServiceEntrySpec).Endpoints {
			out = append(out, endpointWorkload(o, &o.Spec.(*ServiceEntrySpec).Endpoints[i]))
		}
	}
	for _, w := range out {
		w.Mode, w.Why = s.enrol(w)
	}
	return out
}

func podWorkload(o *Object) *Workload {
	p := o.Spec.(*PodBody)
	if p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" {
		return nil // istiod does not index terminal pods
	}
	w := &Workload{Source: o, Namespace: o.Namespace, Name: o.Name, Labels: o.Labels, Annotations: o.Annotations,
		Running: p.Status.Phase != ""}
	w.readPodSpec(&p.Spec)
	if p.Status.PodIP != "" {
		w.IPs = append(w.IPs, p.Status.PodIP)
	}
	for _, ip := range p.Status.PodIPs {
		if !slices.Contains(w.IPs, ip.IP) {
			w.IPs = append(w.IPs, ip.IP)
		}
	}
	return w
}

func (w *Workload) readPodSpec(p *PodSpec) {
	w.ServiceAccount, w.HostNetwork = or(p.ServiceAccountName, "default"), p.HostNetwork
	for _, c := range slices.Concat(p.Containers, p.InitContainers) {
		w.Ports = append(w.Ports, c.Ports...)
		// A gateway that brings its own proxy runs it as a router.
		if len(c.Args) > 1 && c.Args[0] == "proxy" && c.Args[1] == "router" {
			w.Mode = ModeGateway
		}
	}
}

// templateWorkload stands for the pods of a template, unless pods of it are in the input or
// something else in the input makes it.
func templateWorkload(o *Object, pods []*Workload) *Workload {
	for _, owner := range o.Owners {
		if strings.HasPrefix(owner, "Deployment/") || strings.HasPrefix(owner, "CronJob/") {
			return nil
		}
	}
	owner, ok := o.Spec.(*PodOwner)
	if !ok {
		owner = &o.Spec.(*CronJobSpec).JobTemplate.Spec
	}
	t := &owner.Template
	for _, p := range pods {
		if subset(t.Metadata.Labels, p.Labels) && len(t.Metadata.Labels) > 0 {
			return nil
		}
	}
	w := &Workload{Source: o, Namespace: o.Namespace, Name: o.Name, Labels: t.Metadata.Labels, Annotations: t.Metadata.Annotations}
	w.readPodSpec(&t.Spec)
	return w
}

// entryWorkload is a WorkloadEntry, whose labels stand in its metadata or in its spec; the former win
// (serviceentry/conversion.go ConvertClientWorkloadEntry).
func entryWorkload(o *Object, name string, e *WorkloadEntrySpec) *Workload {
	labels := o.Labels
	if len(e.Labels) > 0 {
		labels = make(map[string]string, len(o.Labels)+len(e.Labels))
		for _, m := range []map[string]string{e.Labels, o.Labels} {
			for k, v := range m {
				labels[k] = v
			}
		}
	}
	return &Workload{Source: o, Namespace: o.Namespace, Name: name, Labels: labels, Annotations: o.Annotations,
		ServiceAccount: e.ServiceAccount, IPs: []string{e.Address}, Running: true}
}

// endpointWorkload is an inline endpoint of a ServiceEntry. The ServiceEntry's own labels and
// annotations decide how it is reached (ambient/workloads.go serviceEntryWorkloadBuilder).
func endpointWorkload(o *Object, e *WorkloadEntrySpec) *Workload {
	return &Workload{Source: o, Namespace: o.Namespace, Name: o.Name, Labels: o.Labels, Annotations: o.Annotations,
		ServiceAccount: e.ServiceAccount, IPs: []string{e.Address}, Running: true}
}

const (
	enabled = "enabled"
	// injectTemplates names the injection templates; "gateway" makes a pod a gateway.
	injectTemplates = "inject.istio.io/templates"
)

// enrol says what captures w, in the order of cni/pkg/util/enablement_selector.go Matches. A running
// pod is enrolled if and only if istio-cni has said so on it.
func (s *Snapshot) enrol(w *Workload) (Mode, string) {
	if mode, why := s.gatewayMode(w); mode != "" {
		return mode, why
	}
	if w.Annotations[annotation.SidecarStatus.Name] != "" {
		return ModeSidecar, "it has a sidecar (annotation " + annotation.SidecarStatus.Name + ")"
	}
	redirected := w.Annotations[annotation.AmbientRedirection.Name]
	if w.Source != nil && (w.Source.Kind == WorkloadEntry || w.Source.Kind == ServiceEntry) {
		if redirected == enabled || strings.Contains(w.Labels[tunnelLabel], "http") {
			return ModeAmbient, "it accepts HBONE"
		}
		return ModeNone, "no ztunnel stands before it"
	}
	if w.Running {
		if redirected == enabled {
			return ModeAmbient, "istio-cni has captured it"
		}
		return ModeNone, s.whyNotCaptured(w, redirected)
	}
	return s.predict(w)
}

// tunnelLabel marks a workload that accepts HBONE without a ztunnel (pilot/pkg/model SupportsTunnel).
const tunnelLabel = "networking.istio.io/tunnel"

func (s *Snapshot) whyNotCaptured(w *Workload, redirected string) string {
	switch mode, why := s.predict(w); {
	case redirected == "pending":
		return "istio-cni has not finished capturing it (annotation " + annotation.AmbientRedirection.Name + ": pending)"
	case mode == ModeAmbient:
		return why + ", but istio-cni has not captured it (no annotation " + annotation.AmbientRedirection.Name + ": enabled)"
	default:
		return why
	}
}

// predict says what will capture a pod that does not run yet.
func (s *Snapshot) predict(w *Workload) (Mode, string) {
	if s.injected(w) {
		return ModeSidecar, "a sidecar is injected into it, which wins over ambient mode"
	}
	if w.HostNetwork {
		return ModeNone, "it uses the host's network, which ztunnel does not capture"
	}
	if slices.Contains(s.options.ExcludedNamespaces, w.Namespace) {
		return ModeNone, "istio-cni leaves Namespace " + w.Namespace + " out"
	}
	if !s.Known(w.Namespace) && w.Labels[label.IoIstioDataplaneMode.Name] == "" {
		return ModeUnknown, "Namespace " + w.Namespace + " is not in the input"
	}
	labels := s.NamespaceLabels(w.Namespace)
	for _, sel := range s.options.Enrolment {
		if sel.Pod.Matches(w.Labels) && sel.Namespace.Matches(labels) {
			if w.Labels[label.IoIstioDataplaneMode.Name] == ambient {
				return ModeAmbient, "it has label " + label.IoIstioDataplaneMode.Name + "=ambient"
			}
			return ModeAmbient, "Namespace " + w.Namespace + " is enrolled"
		}
	}
	if w.Labels[label.IoIstioDataplaneMode.Name] == none {
		return ModeNone, "it has label " + label.IoIstioDataplaneMode.Name + "=none"
	}
	return ModeNone, "neither it nor Namespace " + w.Namespace + " has label " + label.IoIstioDataplaneMode.Name + "=ambient"
}

// injected is whether the sidecar injector will add a sidecar. The injector knows nothing of ambient mode.
func (s *Snapshot) injected(w *Workload) bool {
	switch w.Labels[label.SidecarInject.Name] {
	case "true":
		return true
	case "false":
		return false
	}
	if v, ok := w.Annotations[label.SidecarInject.Name]; ok {
		return v == "true"
	}
	if w.Labels[label.IoIstioRev.Name] != "" {
		return true
	}
	return Injection(s.NamespaceLabels(w.Namespace))
}

// Injection is whether a namespace with these labels has sidecars injected into its pods.
func Injection(namespace map[string]string) bool {
	switch namespace["istio-injection"] {
	case "enabled":
		return true
	case "disabled":
		return false
	}
	return namespace[label.IoIstioRev.Name] != ""
}

// gatewayMode recognises the pods of gateways and waypoints, which are not captured themselves.
func (s *Snapshot) gatewayMode(w *Workload) (Mode, string) {
	if name := w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]; name != "" {
		if s.instanceOfWaypoint(w, name) {
			return ModeWaypoint, "it is an instance of waypoint " + w.Namespace + "/" + name
		}
		return ModeGateway, "it is an instance of Gateway " + w.Namespace + "/" + name
	}
	if w.Mode == ModeGateway || strings.Contains(w.Annotations[injectTemplates], "gateway") ||
		w.Labels["istio"] == "ingressgateway" || w.Labels["istio"] == "egressgateway" {
		return ModeGateway, "it is a gateway"
	}
	for _, o := range s.List(IstioGateway, w.Namespace) {
		if sel := o.Spec.(*IstioGatewaySpec).Selector; len(sel) > 0 && subset(sel, w.Labels) {
			return ModeGateway, "Gateway " + o.Key() + " selects it"
		}
	}
	return "", ""
}

func (s *Snapshot) instanceOfWaypoint(w *Workload, name string) bool {
	if o := s.Get(Gateway, w.Namespace, name); o != nil {
		return s.ClassOf(o).Waypoint()
	}
	managed := w.Labels[label.GatewayManaged.Name]
	return managed == managedMesh || strings.HasPrefix(managed, "istio.io-agentgateway-waypoint")
}

// HasWorkloads is whether anything in the input shows what runs in the namespace. Gateways and
// waypoints do not count: they say nothing about the applications.
func (s *Snapshot) HasWorkloads(ns string) bool {
	return slices.ContainsFunc(s.Workloads(ns), func(w *Workload) bool {
		return w.Mode != ModeGateway && w.Mode != ModeWaypoint
	})
}

// Imagine is the pod that stands behind a selector in a namespace of which the input shows no
// workload: plain, with these labels and nothing else.
func (s *Snapshot) Imagine(ns string, labels map[string]string) *Workload {
	w := &Workload{Namespace: ns, Labels: labels, ServiceAccount: "default"}
	w.Mode, w.Why = s.enrol(w)
	return w
}

// Select are the workloads of a namespace that carry all of labels. Where the input shows no
// workload there at all, one is imagined. Nil labels select every workload.
func (s *Snapshot) Select(ns string, labels map[string]string) []*Workload {
	var out []*Workload
	for _, w := range s.Workloads(ns) {
		if subset(labels, w.Labels) {
			out = append(out, w)
		}
	}
	if len(out) == 0 && !s.HasWorkloads(ns) {
		return []*Workload{s.Imagine(ns, labels)}
	}
	return out
}
