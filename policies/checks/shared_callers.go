package checks

import (
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// asPrincipals writes trust domains as principals, another name of the mesh's with the real one beside it; false where one has a wildcard, or none is left.
func asPrincipals(p *policies.Pass, domains []string) ([]any, bool) {
	var out []any
	for _, td := range domains {
		if strings.Contains(td, "*") {
			return nil, false
		}
		principal := td + "/*"
		real, _ := policies.RealPrincipal(p.Snapshot, principal)
		for _, v := range []any{principal, real} {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	return out, len(out) > 0
}

// trustDomainsAsPrincipals writes trustDomains as principals, where that only restricts: in a DENY those
// sources that say nothing else and so match nothing now, in an ALLOW those that say something else
// and so match too much now.
func trustDomainsAsPrincipals(p *policies.Pass, spec *mesh.AuthorizationPolicySpec) []policies.Fix {
	deny := policies.Action(spec) == policies.Deny
	var ops []policies.Op
	for i := range spec.Rules {
		for j := range spec.Rules[i].From {
			src := &spec.Rules[i].From[j].Source
			if len(src.TrustDomains)+len(src.NotTrustDomains) == 0 {
				continue
			}
			alone := len(src.Namespaces)+len(src.NotNamespaces)+len(src.IPBlocks)+len(src.NotIPBlocks) == 0
			if deny != alone || len(src.Principals)+len(src.NotPrincipals)+len(src.ServiceAccounts)+len(src.NotServiceAccounts) > 0 {
				return nil // validation lets no other identity stand beside serviceAccounts; two lists of principals cannot be ANDed
			}
			for _, f := range []struct {
				from, to string
				domains  []string
			}{{"trustDomains", "principals", src.TrustDomains}, {"notTrustDomains", "notPrincipals", src.NotTrustDomains}} {
				if len(f.domains) == 0 {
					continue
				}
				principals, ok := asPrincipals(p, f.domains)
				if !ok {
					return nil
				}
				ops = append(ops, policies.Op{Op: "remove", Path: sourcePointer(i, j, f.from)}, policies.Op{Op: "add", Path: sourcePointer(i, j, f.to), Value: principals})
			}
		}
	}
	message := "write the trust domains as principals; callers of other trust domains are denied from then on"
	if deny {
		message = "write the trust domains as principals; the callers that they describe are denied from then on"
	}
	return rewritten(p, message, ops)
}

// conditionsAsPrincipals writes conditions on source.serviceAccount and source.trustDomain, which
// ztunnel cannot compare, as conditions on source.principal, which it can. Only for a DENY: an ALLOW
// would admit what it stops now.
func conditionsAsPrincipals(p *policies.Pass, spec *mesh.AuthorizationPolicySpec) []policies.Fix {
	if policies.Action(spec) != policies.Deny {
		return nil
	}
	var ops []policies.Op
	for i := range spec.Rules {
		for j, w := range spec.Rules[i].When {
			if w.Key != "source.serviceAccount" && w.Key != "source.trustDomain" {
				continue
			}
			condition := map[string]any{"key": "source.principal"}
			for field, list := range map[string][]string{"values": w.Values, "notValues": w.NotValues} {
				if len(list) == 0 {
					continue
				}
				principals, ok := asPrincipals(p, list)
				if w.Key == "source.serviceAccount" {
					principals, ok = accounts(p.Object.Namespace, list), true
				}
				if !ok {
					return nil
				}
				condition[field] = principals
			}
			ops = append(ops, policies.Op{Op: "replace", Path: whenPointer(i, j), Value: condition})
		}
	}
	return rewritten(p, "ask for the principal instead, which ztunnel can compare; the callers that the policy describes are denied from then on", ops)
}

// accounts writes service accounts, of the policy's namespace where they name none, as principals of
// any trust domain.
func accounts(ns string, list []string) []any {
	out := make([]any, len(list))
	for i, a := range list {
		in, name, ok := strings.Cut(a, "/")
		if !ok {
			in, name = ns, a
		}
		out[i] = "*/ns/" + in + "/sa/" + name
	}
	return out
}
