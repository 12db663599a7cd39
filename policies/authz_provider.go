package policies

import (
	"fmt"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies/mesh"
)

// judgeProvider judges a CUSTOM policy by its provider: without it, or with another one on the same
// chains of a waypoint, its rules become a DENY. Without rules there is nothing to deny.
func judgeProvider(s *mesh.Snapshot, p *mesh.AuthorizationPolicySpec, services []*mesh.Object, e *Effect) {
	if Action(p) != Custom || e.EnforcedBy == Nobody || len(p.Rules) == 0 {
		return
	}
	reason, why, remedy := providerTrouble(s, p, services)
	switch reason {
	case "":
		return
	case ProviderUnknown:
		e.By, e.EnforcedBy, e.Verdict = nil, Nobody, Unknown
		e.Message = "it cannot be judged: " + why + ". " + remedy
		e.WaitsFor = []Wait{{Object: &mesh.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: s.RootNamespace(), Name: "istio"}}}
	default:
		e.Verdict = OverDenies
		e.Message = "every call that its rules match is denied: " + why + ". " + remedy
	}
	e.Reason, e.Field = reason, "spec.provider.name"
	e.Causes = append(e.Causes, Cause{Reason: e.Reason, Verdict: e.Verdict, Field: e.Field, Text: why})
}

// providerTrouble is why the provider of a CUSTOM policy cannot be asked, or why nobody can tell; the
// reason is "" where it can.
func providerTrouble(s *mesh.Snapshot, p *mesh.AuthorizationPolicySpec, services []*mesh.Object) (reason, why, remedy string) {
	name := providerOf(p)
	provider, found := s.Settings().AuthorizationProvider(name)
	switch other := providerConflict(s, name, services); {
	case other != nil:
		return ProviderConflict, fmt.Sprintf("%s sends the same calls to another provider, and a proxy takes only one", other),
			"Use one provider, or set PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS on istiod."
	case !s.Settings().MeshConfigKnown:
		return ProviderUnknown, fmt.Sprintf("whether the mesh has the extension provider %q is in ConfigMap %s/istio, which is not in the input", name, s.RootNamespace()),
			"Add it, or use --live."
	case !found:
		return ProviderNotFound, fmt.Sprintf("the mesh has no authorization provider %q", name),
			"Add it to extensionProviders of the mesh configuration, or correct the name."
	case s.LacksService(provider):
		return ProviderNotFound, fmt.Sprintf("authorization provider %q has the Service %s, which is not there", name, provider.Service),
			"Make it, or correct extensionProviders of the mesh configuration."
	}
	return "", "", ""
}

// judgeTriedCustom judges a dry run with action CUSTOM at any Envoy. istiod hands its rules to Envoy as rules that deny,
// beside those that only decide what the provider is asked about (pilot/pkg/security/authz/builder/builder.go
// buildHTTP: providerShadowRules). Where the provider cannot be asked it leaves them out.
func judgeTriedCustom(s *mesh.Snapshot, p *mesh.AuthorizationPolicySpec, a *attachment, e *Effect) {
	if Action(p) != Custom || len(p.Rules) == 0 {
		return
	}
	if reason, _, _ := providerTrouble(s, p, a.services); reason != "" {
		return
	}
	if !a.gateway && authzRulesAt(s, p, a).judge(p).verdict == NotEnforced {
		return
	}
	const why = "istiod hands the rules of a CUSTOM that is a dry run to the proxy as rules that deny"
	e.Verdict, e.Reason, e.Field = OverDenies, TriedCustom, "metadata.annotations["+annotation.IoIstioDryRun.Name+"]"
	e.Message = "every call that its rules match is denied, and not only tried: " + why +
		". Remove the policy, or its annotation " + annotation.IoIstioDryRun.Name + "."
	e.Causes = []Cause{{Reason: TriedCustom, Verdict: OverDenies, Field: e.Field, Text: why}}
}
