package packs

import (
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
