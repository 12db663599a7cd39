package checks

import (
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A DestinationRule, or what istiod makes of a BackendTLSPolicy or XBackendTrafficPolicy, of which a
// waypoint takes nothing because it finds another first: its own namespace wins over the Service's, that
// over the root namespace, and a more specific host over a wildcard. Nothing is merged across
// namespaces (push_context.go destinationRule).
var _ = policies.Register(policies.Check{
	ID:       "effect/destination-rule-shadowed",
	Title:    "A DestinationRule behind another",
	Severity: policies.Medium,
	Kinds:    shaping,
	Cases:    []int{97},
	Controls: configuration(),
	Doc: `A waypoint takes the DestinationRules of one namespace: its own if one there has the host, else the Service's, else
the root namespace. Nothing is merged across namespaces. A BackendTLSPolicy or XBackendTrafficPolicy
counts as a DestinationRule of its own namespace.`,
	Remedy: "Put all settings for the host into one DestinationRule.",
	Run: func(p *policies.Pass) {
		for _, e := range effectsFor(p, policies.Shadowed) {
			// A wildcard is a default: that a more specific rule wins is what it is for.
			if d, ok := p.Object.Spec.(*mesh.DestinationRuleSpec); ok && (asksNothingNew(d) || strings.HasPrefix(d.Host, "*") || meantAsDefault(p)) {
				continue
			}
			f := told(e)
			f.Field = "spec.host"
			if p.Object.Kind != mesh.DestinationRule {
				f.Field = e.Field
			}
			if gw := waypointOf(p, e.Target); gw != nil {
				for _, o := range policies.Lookup(p.Snapshot, targetOf(p, e.Target), gw.Namespace) {
					f.Related = append(f.Related, o.Ref())
				}
			}
			slices.SortFunc(f.Related, mesh.Ref.Compare)
			p.Report(f)
		}
	},
})

// meantAsDefault is a DestinationRule in the root namespace, which is there to be overridden.
func meantAsDefault(p *policies.Pass) bool { return p.Object.Namespace == p.RootNamespace() }
