package istiod

import (
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/oracle"
)

// difference is a class of differences in which istiod is the one that is wrong, or says less.
type difference struct {
	name, why string // why names the line of Istio's code, or the issue
	explains  func(oracle.Recording, oracle.Difference) bool
}

var known = []difference{
	{"policies that ztunnel does not take share one condition",
		"pilot/pkg/model/service.go:1744 WorkloadAuthorization.ResourceName: what converts to nothing has the key \"/\", so of all CUSTOM, AUDIT and dry-run policies one gets ZtunnelAccepted=False",
		func(_ oracle.Recording, d oracle.Difference) bool {
			return d.About == "ZtunnelAccepted" && d.Ours == "False UnsupportedValue" && d.Istiod == oracle.Nothing
		}},
	{"ports of a PeerAuthentication converted before its parents were there",
		"pilot/pkg/serviceregistry/ambient/policies.go:205 PeerAuthDerivedPolicies reads its parents with PeerAuthByNamespace.Lookup, which registers no dependency: a parent that comes, changes or goes later does not count until the PeerAuthentication itself is written again or istiod starts anew",
		func(r oracle.Recording, d oracle.Difference) bool {
			return d.About == oracle.RefusesPlaintext && staleParents(r, d.Object)
		}},
	{"conditions that stay when istiod no longer looks at the object",
		"pilot/pkg/serviceregistry/ambient/statusqueue/queue.go reconcile (\"object is removed, no action needed\"): a Service that becomes ExternalName, or an entry that goes to another revision, keeps the istio.io/WaypointBound that it had",
		func(r oracle.Recording, d oracle.Difference) bool {
			return d.About == "istio.io/WaypointBound" && d.Ours == oracle.Nothing && (mesh.ExternalName(d.Object) || r.Snapshot.OtherRevision(d.Object))
		}},
}

// staleParents is whether a workload goes by a PeerAuthentication with ports, and one of its
// namespace or the mesh is not older than that.
func staleParents(r oracle.Recording, source *mesh.Object) bool {
	for _, w := range r.Snapshot.Workloads(source.Namespace) {
		if w.Source != source {
			continue
		}
		for _, k := range r.Snapshot.EffectiveMTLS(w.Namespace, w.Labels).Policies {
			_, name, ok := strings.Cut(k, "/converted_peer_authentication_")
			if !ok {
				continue
			}
			own := r.Snapshot.Get(mesh.PeerAuthentication, w.Namespace, name)
			for _, ns := range []string{w.Namespace, r.Snapshot.RootNamespace()} {
				for _, o := range r.Snapshot.List(mesh.PeerAuthentication, ns) {
					if o.Spec.(*mesh.PeerAuthenticationSpec).Selector == nil && !o.Created.Before(own.Created) {
						return true
					}
				}
			}
		}
	}
	return false
}

// explained is the known difference that a difference belongs to; "" for none.
func explained(r oracle.Recording, d oracle.Difference) string {
	for _, k := range known {
		if k.explains(r, d) {
			return k.name
		}
	}
	return ""
}
