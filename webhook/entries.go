package webhook

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Entry is one webhook of a configuration: what the API server asks about, and what it does when nobody answers. The
// chart renders the same; a test holds it to this.
type Entry struct {
	Name           string
	Path           string
	TimeoutSeconds int32
	// Managed is whether failurePolicy is Ignore only until the canary was refused, and Fail from then on. Else it is
	// Ignore for good.
	Managed    bool
	Rules      []admissionregistrationv1.RuleWithOperations
	Conditions []admissionregistrationv1.MatchCondition
}

// The names of the entries. They end in a domain, as the API server demands, and stand in its messages.
const (
	PoliciesEntry = "policies.waywarden.dev"
	MeshEntry     = "mesh.waywarden.dev"
	RepairEntry   = "repair.waywarden.dev"
	GrantEntry    = "grant.waywarden.dev"
	PacksEntry    = "packs.waywarden.dev"
)

const (
	validateTimeout = 3
	mutateTimeout   = 2
	// packsTimeout is long: rules are compiled and tested, and everything that is stored is judged by them.
	packsTimeout = 10
)

// ValidatingEntries are those of the ValidatingWebhookConfiguration: one for policies, which may be made to fail closed;
// one for packs of rules, which are judged again before they are in force; and one for what a mesh cannot be healed without,
// and for every deletion. The latter two never fail closed.
func ValidatingEntries() []Entry {
	return []Entry{
		{Name: PoliciesEntry, Path: ValidatePath, TimeoutSeconds: validateTimeout, Managed: true, Conditions: conditions(),
			Rules: slices.Concat(rules(written, policyKinds()), ownRules(written, v1alpha1.GuardrailResource, v1alpha1.ExemptionResource, v1alpha1.WaypointProfileResource))},
		{Name: PacksEntry, Path: ValidatePath, TimeoutSeconds: packsTimeout, Conditions: conditions(), Rules: ownRules(written, v1alpha1.RulePackResource)},
		{Name: MeshEntry, Path: ValidatePath, TimeoutSeconds: validateTimeout, Conditions: append(conditions(), staysCondition(), decidedCondition()),
			Rules: slices.Concat(rules(written, meshKinds), rules(deleted, slices.Concat(meshKinds, policyKinds())),
				ownRules(deleted, v1alpha1.GuardrailResource, v1alpha1.ExemptionResource, v1alpha1.WaypointProfileResource, v1alpha1.RulePackResource))},
	}
}

// MutatingEntries are those of the MutatingWebhookConfiguration. Neither ever fails closed: what a repair misses
// validation finds, and an Exemption that nobody stamped is refused by it.
func MutatingEntries() []Entry {
	return []Entry{
		{Name: RepairEntry, Path: MutatePath, TimeoutSeconds: mutateTimeout, Conditions: append(conditions(), staysCondition()),
			Rules: rules(written, slices.Concat(policyKinds(), meshKinds))},
		{Name: GrantEntry, Path: MutatePath, TimeoutSeconds: mutateTimeout, Rules: ownRules(written, v1alpha1.ExemptionResource)},
	}
}

var (
	written = []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update}
	deleted = []admissionregistrationv1.OperationType{admissionregistrationv1.Delete}
)

// meshKinds are no policies, or are what a mesh is made of besides, and decide what policies do. Pods, Nodes and Leases
// are not among them, so that a cluster heals with every replica dead.
var meshKinds = []mesh.Kind{mesh.Namespace, mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry, mesh.Gateway, mesh.GatewayClass}

func policyKinds() []mesh.Kind {
	return slices.DeleteFunc(mesh.Kinds(), func(k mesh.Kind) bool { return !k.IsPolicy() || slices.Contains(meshKinds, k) })
}

// rules match kinds in every version that is decoded, one rule for those that share group, versions and scope.
func rules(operations []admissionregistrationv1.OperationType, kinds []mesh.Kind) []admissionregistrationv1.RuleWithOperations {
	var out []admissionregistrationv1.RuleWithOperations
	for _, k := range kinds {
		for _, group := range k.Groups() {
			rule := admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: k.Versions(), Resources: []string{k.Resource()}, Scope: scopeOf(k)}
			i := slices.IndexFunc(out, func(r admissionregistrationv1.RuleWithOperations) bool {
				return r.APIGroups[0] == group && slices.Equal(r.APIVersions, rule.APIVersions) && *r.Scope == *rule.Scope
			})
			if i >= 0 {
				out[i].Resources = append(out[i].Resources, k.Resource())
				continue
			}
			out = append(out, admissionregistrationv1.RuleWithOperations{Operations: operations, Rule: rule})
		}
	}
	return out
}

func scopeOf(k mesh.Kind) *admissionregistrationv1.ScopeType {
	scope := admissionregistrationv1.ClusterScope
	if k.Namespaced() {
		scope = admissionregistrationv1.NamespacedScope
	}
	return &scope
}

func ownRules(operations []admissionregistrationv1.OperationType, resources ...string) []admissionregistrationv1.RuleWithOperations {
	scope := admissionregistrationv1.AllScopes
	return []admissionregistrationv1.RuleWithOperations{{Operations: operations, Rule: admissionregistrationv1.Rule{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, APIVersions: []string{v1alpha1.GroupVersion.Version}, Resources: resources, Scope: &scope}}}
}

// conditions keep from the webhook what it would admit without a look, whatever rules and Guardrails there are (leftAlone). They are
// evaluated in the API server, so they hold with every replica dead as well: a finalizer or a status can go. Rules may read any label and
// annotation, and Guardrails select by any label, so that none is left out by its name.
func conditions() []admissionregistrationv1.MatchCondition {
	return []admissionregistrationv1.MatchCondition{
		{Name: "something-that-decides-changes", Expression: "request.operation != 'UPDATE' || object.?spec != oldObject.?spec" +
			" || object.metadata.?labels != oldObject.metadata.?labels || object.metadata.?annotations != oldObject.metadata.?annotations" +
			" || object.metadata.?ownerReferences != oldObject.metadata.?ownerReferences"},
	}
}

// staysCondition keeps updates of Namespaces from it that are being deleted: they have nothing to lose any more.
func staysCondition() admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{Name: "the-namespace-stays",
		Expression: "request.operation != 'UPDATE' || request.resource.resource != 'namespaces' || !has(object.metadata.deletionTimestamp)"}
}

// decidedCondition keeps deletions from it that only carry out what was decided before, so that a namespace empties as fast as it would
// without a webhook.
func decidedCondition() admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{Name: "nobody-has-decided-before",
		Expression: "request.operation != 'DELETE' || !(request.userInfo.username in ['" + strings.Join(carriers, "', '") + "'])"}
}
