package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A policy of the root namespace with a selector. It selects pods of all namespaces (ambient/authorization.go;
// sidecars alike), in contrast to a PeerAuthentication. Told only where it selects pods of the root
// namespace and others, so that it may have been meant for the former.
var _ = policies.Register(policies.Check{
	ID:       "effect/root-selector",
	Title:    "A root policy that reaches other namespaces",
	Severity: policies.Info,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{40},
	Controls: configuration(),
	Doc: `A policy in the root namespace applies to the whole mesh, and a selector only narrows that down by labels. It does not stay in the
root namespace, as a PeerAuthentication with a selector does not apply at all and a policy in any other namespace does.`,
	Remedy: "If only the pods of the root namespace are meant, select them by a label that no others have.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		root := p.RootNamespace()
		if p.Object.Namespace != root || spec.Selector == nil || len(spec.Selector.MatchLabels) == 0 || len(spec.Attachment().Refs()) > 0 {
			return
		}
		selected := func(w *mesh.Workload) bool { return policies.Selects(spec.Selector, w) }
		if !slices.ContainsFunc(p.Workloads(root), selected) {
			return
		}
		var others []string
		for ns := range p.Namespaces() {
			if ns != root && slices.ContainsFunc(p.Workloads(ns), selected) {
				others = append(others, ns)
			}
		}
		if len(others) == 0 {
			return
		}
		p.Report(policies.Finding{Field: "spec.selector", Message: fmt.Sprintf(
			"this %s also applies to pods of %s: a selector in the root namespace selects pods of every namespace.", policies.Action(spec), strings.Join(others, ", "))})
	},
})
