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

func (z ztunnelRules) judge() judgement {
	p := z.object.Spec.(*mesh.AuthorizationPolicySpec)
	fates := make([]fate, len(p.Rules))
	for i := range p.Rules {
		fates[i] = z.rule(&p.Rules[i], rulePath(i))
	}
	return weigh(z.action, fates, unconditional(p))
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
			alternatives[i] = z.operation(&r.To[i].Operation, path+".to["+strconv.Itoa(i)+"].operation")
		}
		parts = append(parts, anyOf(alternatives))
	}
	if len(r.From) > 0 {
		alternatives := make([]fate, len(r.From))
		for i := range r.From {
			alternatives[i] = z.source(&r.From[i].Source, path+".from["+strconv.Itoa(i)+"].source")
		}
		parts = append(parts, anyOf(alternatives))
	}
	for i := range r.When {
		parts = append(parts, z.condition(&r.When[i], path+".when["+strconv.Itoa(i)+"]"))
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
	f.wide = true
	f.add(UnsupportedValue, gone[0].Field, "ztunnel cannot compare "+Names(gone)+" and matches without")
}

func (z ztunnelRules) operation(op *mesh.Operation, at string) fate {
	f := portFate(z.endpoint, op.Ports, op.NotPorts, at+".ports", at+".notPorts")
	stripped(&f, l7Operation(op, at), Match{DestinationPorts: ports(op.Ports), NotDestinationPorts: ports(op.NotPorts)})
	return f
}

func (z ztunnelRules) source(src *mesh.Source, at string) fate {
	var f fate
	left := convertSource(src, z.object.Namespace)
	stripped(&f, l7Source(src, at), left)
	for _, td := range present(at, []string{"trustDomains", "notTrustDomains"}, src.TrustDomains, src.NotTrustDomains) {
		// istiod drops these without a word (istio/istio#59358).
		if left.Empty() {
			f.never = true
			f.add(TrustDomainsDropped, td.Field, "ztunnel ignores "+td.Name+", and an empty match never matches")
		} else {
			f.wide = true
			f.add(TrustDomainsDropped, td.Field, "ztunnel ignores "+td.Name)
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
		f = portFate(z.endpoint, w.Values, w.NotValues, values, notValues)
	case "destination.ip":
		f = addressFate(z.endpoint, w, values)
	case "source.principal":
		z.principals(&f, w.Values, w.NotValues, values, notValues)
	}
	if !slices.Contains(l4Conditions, w.Key) {
		f.never = true
		f.add(UnsupportedValue, at+".key", "ztunnel cannot compare "+w.Key+", and an empty match never matches")
		return f
	}
	f.never = f.never || convertCondition(w).Empty()
	return f
}

// principals judges names of the trust domain that only Envoy knows: ztunnel compares principals
// literally, without aliases (pilot/pkg/security/trustdomain/bundle.go is not used for it).
func (z ztunnelRules) principals(f *fate, list, not []string, field, notField string) {
	settings := z.snapshot.Settings()
	alias := func(p string) bool {
		td, _, ok := strings.Cut(p, "/")
		return ok && td != settings.TrustDomain && (td == "cluster.local" || slices.Contains(settings.TrustDomainAliases, td))
	}
	gone := 0
	for _, p := range list {
		if alias(p) {
			gone++
			f.add(TrustDomainNever, field, fmt.Sprintf("ztunnel compares %q literally, and the trust domain is %s", p, settings.TrustDomain))
		}
	}
	if gone > 0 {
		f.never, f.lost = f.never || gone == len(list), f.lost || gone < len(list)
	}
	for _, p := range not {
		if alias(p) {
			f.wide = true
			f.add(TrustDomainNever, notField, fmt.Sprintf("ztunnel compares %q literally, and the trust domain is %s", p, settings.TrustDomain))
		}
	}
}

// pods are where ztunnel enforces: connections arrive at the ports and addresses of pods.
type pods struct {
	snapshot  *mesh.Snapshot
	workloads []*mesh.Workload
}

// port: a pod listens where it likes, so a port is impossible only where it is a Service's port
// that leads to another port of the pods, and nothing shows that they use the number themselves.
func (p pods) port(n uint16, listed []uint16) (bool, string) {
	var leads []int32
	for _, w := range p.workloads {
		for _, c := range w.Ports {
			if c.ContainerPort == int32(n) {
				return false, ""
			}
		}
		for _, svc := range p.snapshot.ServicesOf(w) {
			for _, sp := range p.snapshot.Ports(svc) {
				target := mesh.TargetPort(sp, w)
				switch {
				case target == int32(n), sp.Number == int32(n) && target == 0:
					return false, ""
				case sp.Number == int32(n) && !slices.Contains(leads, target):
					leads = append(leads, target)
				}
			}
		}
	}
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
