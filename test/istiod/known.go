package istiod

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/oracle"
)

// difference is a class of differences in which istiod is the one that is wrong, or says less. A difference
// belongs to it only if everything that the reason says holds of it.
type difference struct {
	name string // as in docs/semantics.md, where it is explained
	// line and says are where Istio's code does it, and what stands there.
	line, says string
	why        string
	explains   func(found) bool
	// seldom is whether generated meshes show it by chance only, so that a test of its own does.
	seldom bool
}

// found is a difference with what it was found in.
type found struct {
	oracle.Recording
	oracle.Difference
	history
}

var known = []difference{
	{
		name: "policies that ztunnel does not take share one condition",
		line: "pilot/pkg/model/service.go:1745", says: `return i.Authorization.GetNamespace() + "/" + i.Authorization.GetName()`,
		why:      "what converts to nothing has the key \"/\", so of all CUSTOM, AUDIT and dry-run policies one gets ZtunnelAccepted=False",
		explains: sharesCondition,
	},
	{
		name: "ports of a PeerAuthentication converted before its parents were there",
		line: "pilot/pkg/serviceregistry/ambient/policies.go:220", says: "nsPols := PeerAuthByNamespace.Lookup(i.GetNamespace())",
		why: "Lookup registers no dependency, so a parent that comes, changes or goes later does not count until the PeerAuthentication itself is written again or istiod starts anew",
		explains: func(f found) bool {
			return f.About == oracle.RefusesPlaintext && f.edited.IsZero() && staleParents(f)
		},
	},
	{
		name: "conditions that stay when istiod no longer looks at the object",
		line: "pilot/pkg/serviceregistry/ambient/statusqueue/queue.go:94", says: `log.Infof("object is removed, no action needed")`,
		why:      "a Service that becomes ExternalName, an entry or policy that goes to another revision and a ServiceEntry whose host another has keep the condition that they had",
		explains: keepsCondition,
	},
	{
		name: "addresses that stay when nothing runs the Gateway any more",
		line: "pilot/pkg/config/kube/gateway/conversion.go:1927", says: "// Do not report an address until we are ready. But once we are ready, never remove the address.",
		why:      "a Gateway of which the class or the parameters change keeps its address, one that is made again at once gets that of its former life, and what is bound to it stays bound, while Programmed says that nothing answers there",
		explains: keepsAddress,
	},
	{
		name: sharedHost,
		line: "pilot/pkg/networking/core/waypoint.go:84", says: `waypointServices.services[hostName] = svc`,
		why:      "the Services of a waypoint are kept by host, in the order of a Go map, so of those of one host in several namespaces one has a chain, another one after the next push perhaps, and the others are told that they are bound",
		explains: losesHost,
		seldom:   true,
	},
}

// keepsAddress is a Gateway that was changed, or made again, and has an address where istiod finds no Service.
func keepsAddress(f found) bool {
	again := !f.standing.IsZero() && !f.Object.Created.Before(f.standing.Truncate(time.Second)) // ages are in seconds
	if f.About != oracle.Programmed || f.Istiod != oracle.NotReady || f.Object.Generation < 2 && !again {
		return false
	}
	c, _ := f.Condition(f.Object, oracle.Programmed)
	return c.Reason == "AddressNotUsable" || c.Reason == "AddressNotAssigned"
}

const sharedHost = "one of several hosts of the same name at a waypoint"

// losesHost is a ServiceEntry for which a waypoint lacks chains, each of a host that another object has which is bound to the same
// waypoint.
func losesHost(f found) bool {
	at, ok := strings.CutPrefix(f.About, "chains at waypoint ")
	ns, name, _ := strings.Cut(at, "/")
	theirs := strings.Fields(f.Istiod)
	if f.Istiod == oracle.Nothing {
		theirs = nil
	}
	lost := 0
	for _, chain := range strings.Fields(f.Ours) {
		if i := slices.Index(theirs, chain); i >= 0 {
			theirs = slices.Delete(theirs, i, i+1)
			continue
		}
		lost++
		host := chain[:max(0, strings.LastIndex(chain, ":"))]
		if !slices.ContainsFunc(f.Snapshot.BoundTo(f.Snapshot.Get(mesh.Gateway, ns, name)), func(o *mesh.Object) bool {
			return o != f.Object && slices.Contains(f.Snapshot.HostsOf(o), host)
		}) {
			return false
		}
	}
	return ok && lost > 0 && len(theirs) == 0
}

// sharesCondition is a policy of which ztunnel gets nothing, and that is not the one to get the condition.
func sharesCondition(f found) bool {
	if f.About != "ZtunnelAccepted" || f.Ours != "False UnsupportedValue" || f.Istiod != oracle.Nothing {
		return false
	}
	for o := range f.Snapshot.All(mesh.AuthorizationPolicy) {
		p := o.Spec.(*mesh.AuthorizationPolicySpec)
		if o != f.Object && len(p.Attachment().Refs()) == 0 && !f.Snapshot.OtherRevision(o) && policies.Convert(f.Snapshot, o) == nil {
			return true // the one that has it, or had it
		}
	}
	return false
}

// keepsCondition is a condition on an object that istiod does not look at, written before the mesh was
// last changed.
func keepsCondition(f found) bool {
	o := f.Object
	if f.Ours != oracle.Nothing {
		return false
	}
	if !mesh.ExternalName(o) && !f.Snapshot.OtherRevision(o) && !(o.Kind == mesh.ServiceEntry && f.Snapshot.Taken(o)) {
		return false
	}
	c, ok := f.Condition(o, f.About)
	return ok && c.Since.Before(f.edited)
}

// staleParents is whether a workload goes by a PeerAuthentication with ports, and istiod's answer is the one
// for a mesh in which some of those above it that are not older were not there.
func staleParents(f found) bool {
	for _, w := range f.Snapshot.Workloads(f.Object.Namespace) {
		if w.Source != f.Object {
			continue
		}
		for _, k := range f.Snapshot.EffectiveMTLS(w.Namespace, w.Labels).Policies {
			_, name, ok := strings.Cut(k, "/converted_peer_authentication_")
			if !ok {
				continue
			}
			later := laterParents(f.Snapshot, f.Snapshot.Get(mesh.PeerAuthentication, w.Namespace, name))
			for n := 1; n < 1<<len(later); n++ {
				s := f.Snapshot
				for i, o := range later {
					if n&(1<<i) != 0 {
						s = s.Without(o)
					}
				}
				if demands(s.EffectiveMTLS(w.Namespace, w.Labels), f.Istiod) {
					return true
				}
			}
		}
	}
	return false
}

// laterParents are the PeerAuthentications of the namespace and the mesh that are not older than one with ports.
func laterParents(s *mesh.Snapshot, own *mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	for _, ns := range []string{own.Namespace, s.RootNamespace()} {
		for _, o := range s.List(mesh.PeerAuthentication, ns) {
			if o.Spec.(*mesh.PeerAuthenticationSpec).Selector == nil && !o.Created.Before(own.Created) {
				out = append(out, o)
			}
		}
	}
	return out
}

// demands is whether what is demanded is as told, in the form "1:false 80:true".
func demands(m mesh.MTLS, told string) bool {
	for _, f := range strings.Fields(told) {
		port, strict, _ := strings.Cut(f, ":")
		n, err := strconv.ParseInt(port, 10, 32)
		if err != nil || strict != strconv.FormatBool(!m.Dangling && m.StrictOn(int32(n))) {
			return false
		}
	}
	return true
}

// explained is the known difference that a difference belongs to; "" for none.
func explained(f found) string {
	for _, k := range known {
		if k.explains(f) {
			return k.name
		}
	}
	return ""
}
