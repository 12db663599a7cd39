package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A principal without targetRefs written with another name of the trust domain: Envoy takes cluster.local
// and the trustDomainAliases for the real one (pilot/pkg/security/trustdomain/bundle.go), the conversion
// for ztunnel does not, and ztunnel compares literally.
var _ = policies.Register(policies.Check{
	ID:       "effect/trust-domain-alias",
	Title:    "A principal that ztunnel never sees",
	Severity: policies.Critical,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{145},
	Controls: evidenceFor(authorization(), serviceIdentity()),
	Doc: `Sidecars, gateways and waypoints take cluster.local and the mesh's trustDomainAliases for names of its trust domain. ztunnel
compares principals literally. So a principal written with another name never matches there: a DENY lets through, an ALLOW denies.`,
	Remedy: "Name the principals with the real trust domain as well.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		for _, e := range p.Effects(p.Object) {
			if atPods(e) && e.Reason == policies.TrustDomainNever && e.Verdict != policies.Enforced {
				tell(p, e, addRealPrincipals(p, spec)...)
			}
		}
	},
})
