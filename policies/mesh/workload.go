package mesh

import (
	"cmp"
	"slices"
	"strings"

	"istio.io/api/annotation"
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
	Probed         bool // a kubelet connects to it, to see whether it is well
	Running        bool // a Pod with a status: its enrolment is a fact, not a prediction
	Mode           Mode
	Why            string // why it has this Mode, as a clause: "the Namespace has label …"
}

// Carries is whether the workload has all of the labels.
func (w *Workload) Carries(labels map[string]string) bool { return subset(labels, w.Labels) }

// Workloads are all workloads of a namespace. Pod templates count where no Pod of theirs is in the
// input. The slice is shared.
func (s *Snapshot) Workloads(ns string) []*Workload {
	return s.workloadsOf(ns).all
}

// Runs is whether any workload of a namespace is captured that way.
func (s *Snapshot) Runs(ns string, mode Mode) bool { return s.workloadsOf(ns).modes[mode] }

var noWorkloads = &workloadSet{}

func (s *Snapshot) workloadsOf(ns string) *workloadSet {
	s.note(readWorkloads, 0, ns, "")
	n := s.namespace(ns)
	if n == nowhere {
		return noWorkloads
	}
	if w := n.workloads.Load(); w != nil {
		return w
	}
	w := &workloadSet{all: s.unrecorded().readWorkloads(n), modes: map[Mode]bool{}}
	for _, one := range w.all {
		w.modes[one.Mode] = true
	}
	n.workloads.Store(w)
	return w
}

// DecidesWorkloads is whether objects of that kind say which workloads there are in their namespace, or what captures
// them. Where none of them changes, the workloads need not be read again.
func DecidesWorkloads(k Kind) bool {
	switch k {
	case Namespace, Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob,
		WorkloadEntry, ServiceEntry, Gateway, IstioGateway:
		return true
	}
	return false
}

func (s *Snapshot) readWorkloads(n *namespace) []*Workload {
	var out []*Workload
	for _, o := range n.objects.of(Pod) {
		if w := podWorkload(o); w != nil {
			out = append(out, w)
		}
	}
	pods := out
	for k := Deployment; k <= CronJob; k++ {
		for _, o := range n.objects.of(k) {
			if w := s.templateWorkload(o, pods); w != nil {
				out = append(out, w)
			}
		}
	}
	for _, o := range n.objects.of(WorkloadEntry) {
		if s.OtherRevision(o) {
			continue
		}
		out = append(out, entryWorkload(o, o.Name, o.Spec.(*WorkloadEntrySpec)))
	}
	for _, o := range n.objects.of(ServiceEntry) {
		if s.OtherRevision(o) {
			continue
		}
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
		Running: started(o, p)}
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

// started is whether istio-cni has had its turn with a pod. Until the pod has its network, which a pod that
// waits for a node or an image does not, the labels say what will be.
func started(o *Object, p *PodBody) bool {
	return p.Status.Phase != "" && (p.Status.Phase != "Pending" || p.Status.PodIP != "" || o.Annotations[annotation.AmbientRedirection.Name] != "")
}

func (w *Workload) readPodSpec(p *PodSpec) {
	w.ServiceAccount, w.HostNetwork = cmp.Or(p.ServiceAccountName, "default"), p.HostNetwork
	for _, c := range slices.Concat(p.Containers, p.InitContainers) {
		if len(w.Ports) == 0 {
			w.Ports = slices.Clip(c.Ports) // shared, as are all pods' of one owner; what is appended makes a copy
		} else {
			w.Ports = append(w.Ports, c.Ports...)
		}
		w.Probed = w.Probed || c.probed()
		// A gateway that brings its own proxy runs it as a router.
		if len(c.Args) > 1 && c.Args[0] == "proxy" && c.Args[1] == "router" {
			w.Mode = ModeGateway
		}
	}
}

// templateWorkload stands for the pods of a template, unless pods of it are in the input or
// something else in the input makes it.
func (s *Snapshot) templateWorkload(o *Object, pods []*Workload) *Workload {
	if m := s.Maker(o); m != nil && (m.Kind == Deployment || m.Kind == CronJob) {
		return nil
	}
	w := templated(o)
	for _, p := range pods {
		if s.madeBy(p, o, w.Labels) {
			return nil
		}
	}
	return w
}

// templated is a pod as a template describes it; nil for an object without one.
func templated(o *Object) *Workload {
	var t *PodOwner
	switch spec := o.Spec.(type) {
	case *PodOwner:
		t = spec
	case *CronJobSpec:
		t = &spec.JobTemplate.Spec
	default:
		return nil
	}
	w := &Workload{Source: o, Namespace: o.Namespace, Name: o.Name, Labels: t.Template.Metadata.Labels, Annotations: t.Template.Metadata.Annotations}
	w.readPodSpec(&t.Template.Spec)
	return w
}

// Template is a pod as the object will make it, whether or not there are pods of it already; nil for an object without a
// template.
func (s *Snapshot) Template(o *Object) *Workload {
	w := templated(o)
	if w != nil {
		w.Mode, w.Why = s.enrol(w)
	}
	return w
}

// Maker is the object of the input that makes another, as a Deployment makes a ReplicaSet; nil where there is none.
func (s *Snapshot) Maker(o *Object) *Object {
	for _, owner := range o.Owners {
		name, of, _ := strings.Cut(owner, "/")
		for k := Deployment; k <= CronJob; k++ {
			if k.String() == name {
				if maker := s.Get(k, o.Namespace, of); maker != nil {
					return maker
				}
			}
		}
	}
	return nil
}

// madeBy is whether a pod comes from the object's template: by its ownerReferences where it has
// any, else, as in a file that somebody has tidied, by its labels.
func (s *Snapshot) madeBy(pod *Workload, o *Object, template map[string]string) bool {
	for _, owner := range pod.Source.Owners {
		kind, name, _ := strings.Cut(owner, "/")
		switch {
		case kind == o.Kind.String() && name == o.Name:
			return true
		case kind == "ReplicaSet" && o.Kind == Deployment:
			if rs := s.Get(ReplicaSet, o.Namespace, name); rs != nil {
				return slices.Contains(rs.Owners, "Deployment/"+o.Name)
			}
			hash, ok := strings.CutPrefix(name, o.Name+"-")
			return ok && !strings.Contains(hash, "-") && subset(template, pod.Labels)
		case kind == "Job" && o.Kind == CronJob:
			if job := s.Get(Job, o.Namespace, name); job != nil {
				return slices.Contains(job.Owners, "CronJob/"+o.Name)
			}
			return strings.HasPrefix(name, o.Name+"-")
		}
	}
	return len(pod.Source.Owners) == 0 && len(template) > 0 && subset(template, pod.Labels)
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
