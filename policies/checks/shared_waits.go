package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// another is what a finding waits for that one more object of a kind in a namespace would end: which one, nobody can
// tell beforehand.
func another(kind mesh.Kind, namespace string) []policies.Wait {
	return []policies.Wait{{Object: &mesh.Ref{APIVersion: kind.APIVersion(), Kind: kind.String(), Namespace: namespace}}}
}
