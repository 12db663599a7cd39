package checks

import (
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A CUSTOM whose provider the mesh does not have, or whose provider's Service is not there. istiod cannot ask it, and makes
// the policy's rules a DENY in its place (pilot/pkg/security/authz/builder/extauthz.go): whatever they match is refused, with no
// word in the policy's status.
var _ = policies.Register(policies.Check{
	ID:       "effect/provider-not-found",
	Title:    "A CUSTOM whose provider is not there denies what it matches",
	Severity: policies.High,
	Controls: evidenceFor(authorization(), configuration()),
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Doc: `An AuthorizationPolicy with action CUSTOM names an extension provider of the mesh configuration. Where there is none of that name,
or no Service behind it, the calls that the rules match are denied and nobody is asked about them.`,
	Remedy: "Add the provider to extensionProviders of the mesh configuration, or correct its name.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.ProviderNotFound) {
			f := told(e)
			f.WaitsFor = providersService(p)
			p.Report(f)
		}
	},
})

// providersService is the Service that the provider of a CUSTOM is missing; none where the provider itself is.
func providersService(p *policies.Pass) []policies.Wait {
	provider, found := p.Settings().AuthorizationProvider(p.Object.Spec.(*mesh.AuthorizationPolicySpec).Provider.Name)
	if !found {
		return nil
	}
	host := provider.Service
	if _, rest, ok := strings.Cut(host, "/"); ok {
		host = rest
	}
	name, rest, _ := strings.Cut(host, ".")
	namespace, suffix, _ := strings.Cut(rest, ".")
	if suffix != "svc."+p.Settings().ClusterDomain {
		return []policies.Wait{{Object: &mesh.Ref{APIVersion: mesh.ServiceEntry.APIVersion(), Kind: mesh.ServiceEntry.String()}}}
	}
	return []policies.Wait{{Object: &mesh.Ref{APIVersion: "v1", Kind: "Service", Namespace: namespace, Name: name}}}
}
