package checks

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A ServiceEntry whose exportTo leaves out a namespace with ambient pods. The ambient index does not
// read exportTo (pilot/pkg/serviceregistry/ambient/services.go), so those pods use the entry: its
// addresses and endpoints decide where their calls to the host go. Only meshConfig.serviceEntryVisibility
// limits that, since 1.31.
var _ = policies.Register(policies.Check{
	ID:       "effect/export-to-ignored",
	Title:    "A ServiceEntry that every namespace sees",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.ServiceEntry},
	Cases:    []int{111},
	Controls: segmentation(),
	Doc: `ztunnel does not read exportTo of ServiceEntries. Ambient pods of every namespace use the entry, so one namespace can
decide where the others' calls to a host go. meshConfig.serviceEntryVisibility (Istio 1.31) is what limits it.`,
	Remedy: "Limit ServiceEntries with meshConfig.serviceEntryVisibility (Istio 1.31 and newer).",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			i := slices.IndexFunc(e.Causes, func(c policies.Cause) bool { return c.Reason == policies.ExportToIgnored })
			if i < 0 {
				continue
			}
			p.Report(policies.Finding{Verdict: policies.PartiallyEnforced, Field: "spec.exportTo",
				Message: "the entry is in force where it should not be: " + e.Causes[i].Text + "."})
			return // once an object, not once a host
		}
	},
})
