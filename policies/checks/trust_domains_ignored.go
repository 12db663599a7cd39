package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// trustDomains or notTrustDomains in a policy without targetRefs. istiod drops them on the way to ztunnel
// without a word (istio/istio#59358): no condition, no warning.
var _ = policies.Register(policies.Check{
	ID:       "effect/trust-domains-ignored",
	Title:    "Trust domains that ztunnel ignores",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{9},
	Controls: evidenceFor(authorization(), serviceIdentity()),
	Doc: `ztunnel is not told of trustDomains and notTrustDomains. A source that says nothing else never matches: an ALLOW then denies, a
DENY lets through. Beside other fields they count for nothing: an ALLOW admits more than it says, a DENY denies more.
istiod reports the policy as accepted.`,
	Remedy: "Write the trust domains as principals, as in <trust domain>/*.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		for _, e := range p.Effects(p.Object) {
			if atPods(e) && e.Reason == policies.TrustDomainsDropped && e.Verdict != policies.Enforced {
				fixes := trustDomainsAsPrincipals(p, spec)
				if len(fixes) == 0 {
					fixes = retarget(p, e)
				}
				tell(p, e, fixes...)
			}
		}
	},
})
