package mesh

import "slices"

// Evidence is a group of kinds that decide nothing about calls: they are read for rules that ask who may change the mesh, or
// what it rests on, and only while such rules are asked.
type Evidence string

// The groups. A whole group is read or not.
const (
	// RBAC is who may do what: roles and their bindings.
	RBAC Evidence = "rbac"
	// Webhooks are the admission webhooks of the cluster.
	Webhooks Evidence = "webhooks"
	// Secrets are the certificates in Secrets, never their keys.
	Secrets Evidence = "secrets"
)

// Evidences are all groups.
var Evidences = []Evidence{RBAC, Webhooks, Secrets}

// Evidence is the group that the kind belongs to; "" for a kind that decides something in the mesh.
func (k Kind) Evidence() Evidence {
	switch k {
	case ClusterRole, Role, ClusterRoleBinding, RoleBinding:
		return RBAC
	case ValidatingWebhookConfiguration, MutatingWebhookConfiguration:
		return Webhooks
	case Secret:
		return Secrets
	}
	return ""
}

// Reads is whether the input would show objects of the kind. Where it is false, that there are none says nothing.
func (s *Snapshot) Reads(kind Kind) bool { return !slices.Contains(s.options.Unread, kind) }

// WithUnread is the Snapshot of an input that would not show other kinds than it did.
func (s *Snapshot) WithUnread(kinds []Kind) *Snapshot {
	if slices.Equal(kinds, s.options.Unread) {
		return s
	}
	next := *s
	next.options.Unread = kinds
	return &next
}

// RoleBody is a ClusterRole or a Role.
type RoleBody struct {
	Rules           []PolicyRule `json:"rules"`
	AggregationRule struct {
		ClusterRoleSelectors []LabelSelector `json:"clusterRoleSelectors"`
	} `json:"aggregationRule"`
}

// PolicyRule is what a role lets somebody do.
type PolicyRule struct {
	Verbs         []string `json:"verbs"`
	APIGroups     []string `json:"apiGroups"`
	Resources     []string `json:"resources"`
	ResourceNames []string `json:"resourceNames"`
}

// RoleBindingBody is a ClusterRoleBinding or a RoleBinding.
type RoleBindingBody struct {
	RoleRef struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"roleRef"`
	Subjects []struct {
		Kind      string `json:"kind"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"subjects"`
}

// WebhookConfigurationBody is a ValidatingWebhookConfiguration or a MutatingWebhookConfiguration.
type WebhookConfigurationBody struct {
	Webhooks []struct {
		Name              string         `json:"name"`
		NamespaceSelector *LabelSelector `json:"namespaceSelector"`
	} `json:"webhooks"`
}

// ParseSelector reads a label selector of decoded YAML or JSON.
func ParseSelector(content any) (out LabelSelector, ok bool) {
	var d decoder
	d.object("", content, &out)
	return out, len(d.errs) == 0
}
