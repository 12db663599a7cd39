// Package v1alpha1 is what users write, API group waywarden.dev/v1alpha1.
//
//	Guardrail   what is demanded where: which findings are denied, warned about, audited, or not asked for
//	Exemption   a signed-off exception to that, with an end
//	RulePack    rules of one's own, in Rego
//
// The comments of fields are what `kubectl explain` prints. The CRDs in charts/waywarden/files/crds are generated
// from this package by `make generate`. What an API server refuses by a CRD, Validate finds in a file, with the
// same answer; test/api holds the two against each other.
//
// +kubebuilder:object:generate=true
// +groupName=waywarden.dev
package v1alpha1
