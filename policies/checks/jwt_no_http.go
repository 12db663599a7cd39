package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A RequestAuthentication for a Service of which no HTTP passes a waypoint: all ports are declared TCP
// or TLS, or the Service is headless or an alias. Tokens are validated by an HTTP filter
// (pilot/pkg/security/authn/policy_applier.go JwtFilter). One HTTP port, or one whose protocol is
// found out, is enough for it to have its say.
var _ = policies.Register(policies.Check{
	ID:       "effect/jwt-no-http",
	Title:    "A RequestAuthentication where no HTTP passes",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.RequestAuthentication},
	Cases:    []int{57},
	Controls: userIdentity(),
	Doc: `Tokens are validated in HTTP requests. A waypoint sees none on ports that are declared TCP or TLS, and none at all
of a headless Service, whose clients connect to the pods' own addresses, or of an ExternalName.`,
	Remedy: "Declare the ports' protocol with appProtocol: http, if that is what they speak.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.EnforcedBy != policies.Nobody || !noHTTP(e) {
				continue
			}
			p.Report(policies.Finding{Verdict: e.Verdict, Field: e.Field, Remedy: lastOf(e.Message),
				Message: fmt.Sprintf("no token is validated at %s: %s.", e.Target, tokenCause(e))})
		}
	},
})
