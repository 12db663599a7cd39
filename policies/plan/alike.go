package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A mesh changes all the time, because pods come and go, and a plan is about what they are and not which. So most changes leave
// the plan as it is, and it need not be made anew.

// passing are the kinds that come and go by themselves.
var passing = []mesh.Kind{mesh.Pod, mesh.ReplicaSet, mesh.Job, mesh.EndpointSlice}

// Alike is whether the same is planned for two meshes, because nothing has come or gone but pods of which there were others like
// them, or are still. It costs what has changed and a glance at each namespace; false says only that the plan has to be made anew. A
// plan may name a pod that is gone, as an example of its like.
func Alike(before, after *mesh.Snapshot) bool {
	touched, sliced := map[string]bool{}, map[string]bool{}
	for was, is := range mesh.Changes(before, after) {
		o := is
		if o == nil {
			o = was
		}
		if !slices.Contains(passing, o.Kind) {
			return false
		}
		if o.Kind == mesh.EndpointSlice {
			sliced[o.Namespace] = true
		} else {
			touched[o.Namespace] = true
		}
	}
	for ns := range sliced {
		if !servedAlike(before, after, ns) {
			return false
		}
	}
	addresses := false
	for ns := range touched {
		was, wasAt := shapes(before, ns)
		is, isAt := shapes(after, ns)
		if !maps.Equal(was, is) {
			return false
		}
		addresses = addresses || !maps.Equal(wasAt, isAt)
	}
	return !addresses || !asksAddresses(after)
}

// servedAlike is whether the same Services of a namespace have an endpoint that is ready.
func servedAlike(before, after *mesh.Snapshot, ns string) bool {
	for _, svc := range after.List(mesh.Service, ns) {
		was, knew := before.ReadyEndpoints(svc)
		is, knows := after.ReadyEndpoints(svc)
		if (was > 0) != (is > 0) || knew != knows {
			return false
		}
	}
	return true
}

// shapes are what the workloads of a namespace are, each kind of them once, and the addresses that they have.
func shapes(s *mesh.Snapshot, ns string) (kinds, addresses map[string]bool) {
	kinds, addresses = map[string]bool{}, map[string]bool{}
	for _, w := range s.Workloads(ns) {
		var of strings.Builder
		fmt.Fprintln(&of, w.Source.Kind, w.ServiceAccount, w.HostNetwork, w.Probed, w.Mode, w.Why, len(w.IPs) > 0, w.Ports)
		for _, k := range slices.Sorted(maps.Keys(w.Labels)) {
			if !slices.Contains(ownLabels, k) {
				fmt.Fprintln(&of, k, w.Labels[k])
			}
		}
		for _, k := range slices.Sorted(maps.Keys(w.Annotations)) {
			if deciding(k) {
				fmt.Fprintln(&of, k, w.Annotations[k])
			}
		}
		kinds[of.String()] = true
		for _, ip := range w.IPs {
			addresses[ip] = true
		}
	}
	return kinds, addresses
}

// ownLabels are those by which controllers tell their pods apart. Nobody selects by them. By a Job's name policies may select.
var ownLabels = []string{"pod-template-hash", "controller-revision-hash", "controller-uid", "batch.kubernetes.io/controller-uid",
	"batch.kubernetes.io/job-completion-index"}

// deciding is whether an annotation of a pod can decide about anything here. Others differ from pod to pod.
func deciding(annotation string) bool {
	return strings.Contains(annotation, "istio.io/") || strings.HasPrefix(annotation, "waywarden.dev/") || strings.HasPrefix(annotation, "prometheus.io/")
}

// asksAddresses is whether any AuthorizationPolicy compares addresses.
func asksAddresses(s *mesh.Snapshot) bool {
	for o := range s.All(mesh.AuthorizationPolicy) {
		rules := o.Spec.(*mesh.AuthorizationPolicySpec).Rules
		for i := range rules {
			for j := range rules[i].From {
				if src := &rules[i].From[j].Source; len(src.IPBlocks)+len(src.NotIPBlocks)+len(src.RemoteIPBlocks)+len(src.NotRemoteIPBlocks) > 0 {
					return true
				}
			}
			if slices.ContainsFunc(rules[i].When, func(w mesh.Condition) bool { return strings.HasSuffix(w.Key, "ip") }) {
				return true
			}
		}
	}
	return false
}
