package checks

import (
	"fmt"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// podKinds are the kinds that are workloads or make them.
var podKinds = []mesh.Kind{mesh.Pod, mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Job, mesh.CronJob}

// podField is the path of a pod's field in an object of the kind.
func podField(kind mesh.Kind, field string) string {
	switch kind {
	case mesh.Pod:
		return field
	case mesh.CronJob:
		return "spec.jobTemplate.spec.template." + field
	}
	return "spec.template." + field
}

// firstLike is the workload that the object of a pass is, if it is like that; of the pods of one owner
// that are, only the first counts, so that a finding is not told once a replica. more is how many others
// there are.
func firstLike(p *policies.Pass, like func(*mesh.Workload) bool) (first *mesh.Workload, more int) {
	for _, w := range p.Siblings(p.Object) {
		switch {
		case !like(w):
		case first != nil:
			more++
		case w.Source != p.Object:
			return nil, 0
		default:
			first = w
		}
	}
	return first, more
}

// many names a workload and how many are like it.
func many(w *mesh.Workload, more int) string {
	if more == 0 {
		return w.Source.String()
	}
	return fmt.Sprintf("%s and %d more of %s", w.Source, more, strings.Replace(w.Source.Owners[0], "/", " ", 1))
}

// meantFor are the policies without targetRefs that somebody means to hold for a workload: those of its
// namespace, those of the root namespace that select it, and with meshWide all others of the root
// namespace. A PeerAuthentication counts where it refuses plaintext.
func meantFor(p *policies.Pass, w *mesh.Workload, meshWide bool) []*mesh.Object {
	var out []*mesh.Object
	for _, ns := range []string{w.Namespace, p.RootNamespace()} {
		for _, o := range p.List(mesh.AuthorizationPolicy, ns) {
			spec := o.Spec.(*mesh.AuthorizationPolicySpec)
			wide := ns != w.Namespace && spec.Selector == nil
			if len(spec.Attachment().Refs()) == 0 && policies.Selects(spec.Selector, w) && (!wide || meshWide) {
				out = append(out, o)
			}
		}
		if ns == p.RootNamespace() && ns == w.Namespace {
			break
		}
	}
	peers := p.Peers(w.Namespace, w.Labels, false)
	for _, o := range peers.All() {
		if demandsMTLS(o) && (o != peers.Mesh || meshWide) {
			out = append(out, o)
		}
	}
	return out
}
