package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A glob that matches no check, in a family of checks of which there are some. A Guardrail that says it demands nothing by
// it, and nobody would notice: the check that was meant is only warned about.
var unknownCheck = policies.Register(policies.Check{
	ID:       "guardrail/unknown-check",
	Title:    "A name that no check has",
	Severity: policies.Medium,
	About:    v1alpha1.GuardrailKind,
	Controls: changeControl(),
	Doc: `No check has the ID, or matches the glob, that a Guardrail or an Exemption names. What was meant is not denied, or
not exempt, and nothing else says so. IDs of families that are not known here, such as those of rules of your own, are
not looked at.`,
	Remedy: "Correct it; waywarden checks list prints the IDs.",
})

// Misnamed are the findings about what Guardrails and Exemptions name and no check is called, by name and field. checkIDs are
// those of all checks there are.
func (r *Rulebook) Misnamed(checkIDs []string) []policies.Finding {
	var out []policies.Finding
	report := func(object mesh.Ref, namespaces []string, field string, ids []string) {
		for i, id := range ids {
			if !misnamed(id, checkIDs) {
				continue
			}
			out = append(out, policies.Finding{
				Check: unknownCheck.ID, Severity: unknownCheck.Severity, Remedy: unknownCheck.Remedy, Action: string(v1alpha1.Warn),
				Object: object, Namespaces: namespaces, Field: fmt.Sprintf("%s[%d]", field, i),
				Message: fmt.Sprintf("%q means no check: none has such an ID.", id),
			})
		}
	}
	for i := range r.guardrails {
		for n, e := range r.guardrails[i].entries {
			report(guardrailRef(r.guardrails[i].name), nil, fmt.Sprintf("spec.checks[%d].ids", n), e.ids)
		}
	}
	for _, ns := range slices.Sorted(maps.Keys(r.exemptions)) {
		for _, e := range r.exemptions[ns] {
			report(e.Ref(), []string{ns}, "spec.checks", e.checks)
		}
	}
	return out
}

// misnamed is whether a glob matches none of the IDs, although its first part is that of some.
func misnamed(glob string, ids []string) bool {
	family, _, _ := strings.Cut(glob, "/")
	known := false
	for _, id := range ids {
		if policies.MatchID(glob, id) {
			return false
		}
		known = known || strings.HasPrefix(id, family+"/")
	}
	return known
}
