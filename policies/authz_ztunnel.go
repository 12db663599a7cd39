package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// ztunnelRules judges the rules of an AuthorizationPolicy as ztunnel sees them.
type ztunnelRules struct {
	snapshot *mesh.Snapshot
	object   *mesh.Object
	action   string
	endpoint endpoint
}

// fates are what becomes of the policy's rules, one by one.
func (z ztunnelRules) fates(p *mesh.AuthorizationPolicySpec) []fate {
	fates := make([]fate, len(p.Rules))
	for i := range p.Rules {
		fates[i] = z.rule(&p.Rules[i], rulePath(i))
	}
	return fates
}

func (z ztunnelRules) rule(r *mesh.Rule, path string) fate {
	if l7 := l7Fields(r, path); z.action == Allow && len(l7) > 0 {
		f := fate{never: true}
		f.add(UnsupportedValue, l7[0].Field, "ztunnel drops the whole rule, because it cannot compare "+Names(l7))
		return f
	}
	var parts []fate
	if len(r.To) > 0 {
		alternatives := make([]fate, len(r.To))
		for i := range r.To {
			at := path + ".to[" + strconv.Itoa(i) + "]"
			alternatives[i] = z.operation(&r.To[i].Operation, at+".operation", unknown(r.To[i].Unknown, at))
		}
		parts = append(parts, anyOf(alternatives))
	}
	if len(r.From) > 0 {
		alternatives := make([]fate, len(r.From))
		for i := range r.From {
			at := path + ".from[" + strconv.Itoa(i) + "]"
			alternatives[i] = z.source(&r.From[i].Source, at+".source", unknown(r.From[i].Unknown, at))
		}
		parts = append(parts, anyOf(alternatives))
	}
	for i := range r.When {
		parts = append(parts, z.condition(&r.When[i], path+".when["+strconv.Itoa(i)+"]"))
	}
	if gone := unknown(r.Unknown, path); len(gone) > 0 {
		// What nobody here knows is not taken for harmless: it counts as a clause of which nothing is left.
		parts = append(parts, strippedClause(gone))
	}
	return allOf(parts)
}

// stripped is the fate of a match of which ztunnel cannot compare some fields: nothing left, and
// it never matches; something left, and it matches more than it says.
func stripped(f *fate, gone []Attribute, left Match) {
	if len(gone) == 0 {
		f.never = f.never || left.Empty()
		return
	}
	if left.Empty() {
		f.never = true
		f.add(UnsupportedValue, gone[0].Field, "ztunnel cannot compare "+Names(gone)+", and an empty match never matches")
		return
	}
	f.widen(UnsupportedValue, gone[0].Field, "ztunnel cannot compare "+Names(gone)+" and matches without")
}

// strippedClause is the fate of a clause that is made of nothing ztunnel can compare.
func strippedClause(gone []Attribute) fate {
	var f fate
	stripped(&f, gone, Match{})
	return f
}

func (z ztunnelRules) operation(op *mesh.Operation, at string, gone []Attribute) fate {
	f := z.ports(op.Ports, op.NotPorts, at+".ports", at+".notPorts")
	stripped(&f, append(l7Operation(op, at), gone...), Match{DestinationPorts: ports(op.Ports), NotDestinationPorts: ports(op.NotPorts)})
	return f
}

// ports judges ports: to leave out one that never occurs leaves out nothing.
func (z ztunnelRules) ports(list, not []string, field, notField string) fate {
	f := portFate(z.endpoint, list, not, field, notField)
	for _, n := range ports(not) {
		if never, why := z.endpoint.port(n, ports(not)); never {
			f.widen(PortNeverMatches, notField, "it leaves out nothing: "+why)
		}
	}
	return f
}

func (z ztunnelRules) source(src *mesh.Source, at string, gone []Attribute) fate {
	var f fate
	left := convertSource(src, z.object.Namespace)
	stripped(&f, append(l7Source(src, at), gone...), left)
	for _, td := range present(at, []string{"trustDomains", "notTrustDomains"}, src.TrustDomains, src.NotTrustDomains) {
		// istiod drops these without a word (istio/istio#59358).
		if left.Empty() {
			f.never = true
			f.add(TrustDomainsDropped, td.Field, "ztunnel ignores "+td.Name+", and an empty match never matches")
		} else {
			f.widen(TrustDomainsDropped, td.Field, "ztunnel ignores "+td.Name)
		}
	}
	z.principals(&f, src.Principals, src.NotPrincipals, at+".principals", at+".notPrincipals")
	return f
}

func (z ztunnelRules) condition(w *mesh.Condition, at string) fate {
	var f fate
	values, notValues := at+".values", at+".notValues"
	switch w.Key {
	case "destination.port":
		f = z.ports(w.Values, w.NotValues, values, notValues)
	case "destination.ip":
		f = addressFate(z.endpoint, w, values)
	case "source.principal":
		z.principals(&f, w.Values, w.NotValues, values, notValues)
	}
	if !slices.Contains(l4Conditions, w.Key) {
		return strippedClause([]Attribute{{w.Key, at + ".key"}})
	}
	f.never = f.never || convertCondition(w).Empty()
	return f
}

// principals judges names of the trust domain that only Envoy knows: ztunnel compares principals
// literally, without aliases (pilot/pkg/security/trustdomain/bundle.go is not used for it). Where the
// same principal is listed with the real trust domain too, the other name is for peers that still have it.
func (z ztunnelRules) principals(f *fate, list, not []string, field, notField string) {
	gone := 0
	for _, p := range list {
		if real, other := RealPrincipal(z.snapshot, p); other && !slices.Contains(list, real) {
			gone++
			f.add(TrustDomainNever, field, z.literally(p))
		}
	}
	if gone > 0 {
		f.never, f.lost = f.never || gone == len(list), f.lost || gone < len(list)
	}
	for _, p := range not {
		if real, other := RealPrincipal(z.snapshot, p); other && !slices.Contains(not, real) {
			f.widen(TrustDomainNever, notField, z.literally(p))
		}
	}
}

func (z ztunnelRules) literally(principal string) string {
	return fmt.Sprintf("ztunnel compares %q literally, and the trust domain is %s", principal, z.snapshot.Settings().TrustDomain)
}

// RealPrincipal is a principal with the mesh's trust domain in place of a name that Envoy takes for it
// and ztunnel does not: an alias, or cluster.local. other is false where it has no such name.
func RealPrincipal(s *mesh.Snapshot, principal string) (real string, other bool) {
	settings := s.Settings()
	td, rest, ok := strings.Cut(PlainPrincipal(principal), "/")
	if !ok || td == settings.TrustDomain || td != "cluster.local" && !slices.Contains(settings.TrustDomainAliases, td) {
		return principal, false
	}
	return settings.TrustDomain + "/" + rest, true
}

// pods are where ztunnel enforces: connections arrive at the ports and addresses of pods.
type pods struct {
	snapshot  *mesh.Snapshot
	workloads []*mesh.Workload
}

// port: a pod listens where it likes, so a port is impossible only where it is a Service's port
// that leads to another port of the pods, and nothing shows that they use the number themselves. Pods
// that show neither ports nor Services may use any. A headless Service leads nowhere: its clients
// connect to the port they name.
func (p pods) port(n uint16, listed []uint16) (bool, string) {
	leads := LeadsTo(p.snapshot, p.workloads, int32(n))
	if len(leads) == 0 {
		return false, ""
	}
	for _, t := range leads {
		if slices.Contains(listed, uint16(t)) {
			return false, "" // the port it leads to is listed as well
		}
	}
	return true, fmt.Sprintf("%d is the Service's port, and ztunnel sees the pods' port %d", n, leads[0])
}

// LeadsTo are the ports of workloads to which Services lead what is sent to theirs of that number; none
// where one of the workloads may listen on that port itself.
func LeadsTo(s *mesh.Snapshot, workloads []*mesh.Workload, n int32) []int32 {
	var leads []int32
	for _, w := range workloads {
		uses, to := portUse(s, w, n)
		if uses {
			return nil
		}
		for _, t := range to {
			if !slices.Contains(leads, t) {
				leads = append(leads, t)
			}
		}
	}
	return leads
}

// portUse is whether a workload may listen on a port, and else to which of its ports Services lead
// what is sent to theirs of that number.
func portUse(s *mesh.Snapshot, w *mesh.Workload, n int32) (uses bool, leads []int32) {
	shown := len(w.Ports) > 0
	for _, c := range w.Ports {
		if c.ContainerPort == n {
			return true, nil
		}
	}
	for _, svc := range s.ServicesOf(w) {
		if mesh.Headless(svc) {
			continue
		}
		shown = true
		for _, sp := range s.Ports(svc) {
			switch target := mesh.TargetPort(sp, w); {
			case target == n, sp.Number == n && target == 0:
				return true, nil
			case sp.Number == n:
				leads = append(leads, target)
			}
		}
	}
	return !shown, leads
}

func (p pods) excluded([]uint16) bool { return false }

func (p pods) address(values []string) (bool, string) {
	nets := prefixes(values)
	for _, w := range p.workloads {
		if len(w.IPs) == 0 {
			return false, ""
		}
		for _, ip := range prefixes(w.IPs) {
			for _, n := range nets {
				if n.Contains(ip.Addr()) {
					return false, ""
				}
			}
		}
	}
	if len(p.workloads) == 0 {
		return false, ""
	}
	return true, "no selected pod has that address, and ztunnel sees the pod's address, not the Service's"
}
