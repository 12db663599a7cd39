package packs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
)

// The part of an ID before the first slash, its group, belongs to one pack: else a Guardrail that names acme/* would be about
// whatever somebody else brings under that name.

// groupOf is the group of an ID.
func groupOf(id string) string {
	group, _, _ := strings.Cut(id, "/")
	return group
}

// baseGroups are the groups of checks that come with Waywarden or from its folders, and to whom they belong.
func baseGroups(checks []*policies.Check) map[string]string {
	out := map[string]string{}
	for _, c := range checks {
		out[groupOf(c.ID)] = "the checks that Waywarden was started with"
	}
	return out
}

// groups are those of a pack, sorted.
func groups(p *rules.Pack) []string {
	var out []string
	for _, r := range p.Rules {
		out = append(out, groupOf(r.ID))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// given refuses rules that do not take the parameters which Guardrails give them; nil where they do. Put in force, they would keep
// those Guardrails from being applied, with everything else that they demand.
func given(pack *rules.Pack, by *policies.Parameters) *Refused {
	var wrong rules.Refusals
	for i, check := range pack.Checks() {
		for _, p := range by.Of(check.ID) {
			why := []string{"it takes none"}
			if check.Takes != nil {
				why = check.Takes(p.Values)
			}
			if len(why) > 0 {
				wrong = append(wrong, rules.Refusal{File: pack.Rules[i].File, Line: 1, Column: 1, Message: fmt.Sprintf("a Guardrail would not be applied any more: it gives %s the parameters %s, and %s. "+
					"Take them out of the Guardrail first, and give the new ones after.", check.ID, p.Key, strings.Join(why, "; "))})
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &Refused{Reason: v1alpha1.ReasonParametersInUse, Refusals: wrong}
}

// conflict refuses rules whose groups belong to others; nil where none do.
func conflict(pack *rules.Pack, owners map[string]string) *Refused {
	var wrong rules.Refusals
	for _, r := range pack.Rules {
		if owner := owners[groupOf(r.ID)]; owner != "" {
			wrong = append(wrong, rules.Refusal{File: r.File, Line: 1, Column: 1,
				Message: "the rule is called " + r.ID + ", and " + groupOf(r.ID) + "/* belongs to " + owner + ". Choose a package of your own, or put the rules into one pack."})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &Refused{Reason: v1alpha1.ReasonConflict, Refusals: wrong}
}
