package checks

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// use-waypoint on pods, or on what makes them. On a pod it decides only about calls to the pod's own
// address, and only with a waypoint for workloads; with another istiod says nothing at all, because a
// pod has no condition for it (ambient/workloads.go podWorkloadBuilder). On a Deployment itself nobody
// reads it. Calls to a Service follow the Service's label.
var _ = policies.Register(policies.Check{
	ID:       "waypoint/pod-label",
	Title:    "A waypoint asked for on pods",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.Pod, mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Job, mesh.CronJob},
	Cases:    []int{67, 68},
	Controls: evidenceFor(authorization(), configuration()),
	Doc: `Calls to a Service pass the waypoint that the Service, or its Namespace, asks for. The label on a pod is about
calls to the pod's own address and needs a waypoint for workloads (istio.io/waypoint-for: workload or all). On a
Deployment, rather than in its pod template, the label is not read at all.`,
	Remedy: "Put label istio.io/use-waypoint on the Service or the Namespace.",
	Run: func(p *policies.Pass) {
		o, key := p.Object, label.IoIstioUseWaypoint.Name
		if len(o.Owners) > 0 {
			return // what makes it is told
		}
		labels, field := podLabels(o)
		name, ok := labels[key]
		if own, onOwner := o.Labels[key]; o.Kind != mesh.Pod && onOwner && !ok && own != "none" {
			p.Report(policies.Finding{Field: useWaypointField,
				Message: fmt.Sprintf("label %s=%s on %s is ignored: nobody reads it there.", key, own, short(o))})
			return
		}
		if !ok || name == "none" {
			return
		}
		w := &mesh.Workload{Namespace: o.Namespace, Labels: labels}
		b := p.WorkloadBinding(o.Kind, w)
		f := policies.Finding{Field: field}
		switch {
		case b.Reason == mesh.UnsupportedTrafficType:
			f.Message = fmt.Sprintf("label %s=%s on %s is ignored without a word: waypoint %s/%s is for %s traffic only.", key, name, podsOf(o), b.Namespace, b.Name, p.TrafficType(b.Gateway))
		case b.Reason == mesh.WaypointIsNotReady && b.Gateway == nil:
			f.Message = fmt.Sprintf("label %s=%s on %s is ignored without a word: there is no Gateway %s/%s.", key, name, podsOf(o), b.Namespace, b.Name)
			waypoint := b.Waypoint()
			f.WaitsFor = []policies.Wait{{Object: &waypoint}}
		case b.Bound && mesh.ServesServices(p.TrafficType(b.Gateway)):
			direct := slices.DeleteFunc(p.ServicesOf(w), func(svc *mesh.Object) bool {
				return mesh.Headless(svc) || svc.Labels[key] == "none" || p.Binding(svc).Opt != mesh.AsksNothing
			})
			if len(direct) == 0 {
				return
			}
			f.Message = fmt.Sprintf("calls to %s reach %s without passing waypoint %s/%s: the label on pods is only about calls to their own addresses.", enumerate(direct), podsOf(o), b.Namespace, b.Name)
			f.Severity, f.Related = weight(relying(p, direct), 1), refsOf(direct)
		default:
			return
		}
		p.Report(f)
	},
})

func podsOf(o *mesh.Object) string {
	if o.Kind == mesh.Pod {
		return short(o)
	}
	return "the pods of " + short(o)
}

// podLabels are the labels of a pod, or of those that the object makes.
func podLabels(o *mesh.Object) (labels map[string]string, field string) {
	switch body := o.Spec.(type) {
	case *mesh.PodOwner:
		return body.Template.Metadata.Labels, "spec.template." + useWaypointField
	case *mesh.CronJobSpec:
		return body.JobTemplate.Spec.Template.Metadata.Labels, "spec.jobTemplate.spec.template." + useWaypointField
	}
	return o.Labels, useWaypointField
}
