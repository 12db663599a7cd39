package trial

import (
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies/scenario"
	"github.com/waywarden/waywarden/rules"
)

// Mutation is which mistakes in one rule its scenarios notice.
type Mutation struct {
	Rule *rules.Rule
	// Killed is how many mutants some case told apart from the rule, and Stillborn how many do not compile.
	Killed, Stillborn int
	// Survived are those that no case told apart, in order; Excused those of which a comment says why.
	Survived []Mutant
	Excused  []Excused
	// Idle are comments that excuse nothing, by line.
	Idle []int
}

// Excused is a mutant that nobody can notice, and why.
type Excused struct {
	Mutant
	Reason string
}

// Mutate puts small mistakes into every rule, one at a time, and asks its scenarios. What they expect must be what the rules
// say: see [Run].
//
// A mistake that changes nothing is told by a comment in its line or alone in the line above: `# survives negate: a pod without a
// name is no pod`, with one or more of the kinds of Mutant before the colon.
func Mutate(pack *rules.Pack, only func(id string) bool) []Mutation {
	return each(selected(pack, only), func(r *rules.Rule) Mutation { return mutate(pack, r) })
}

func mutate(pack *rules.Pack, r *rules.Rule) Mutation {
	out := Mutation{Rule: r}
	module := r.Parse()
	excuses := excusesIn(module, string(r.Source))
	for _, m := range mutants(string(r.Source), module) {
		killed, born := tell(pack, r, m)
		switch {
		case !born:
			out.Stillborn++
		case killed:
			out.Killed++
		default:
			if why := excuses.of(m); why != "" {
				out.Excused = append(out.Excused, Excused{m, why})
			} else {
				out.Survived = append(out.Survived, m)
			}
		}
	}
	for _, e := range excuses {
		if !e.used {
			out.Idle = append(out.Idle, e.comment)
		}
	}
	return out
}

// tell is whether some case says something else of a mutant than of the rule; born is false where it does not compile.
func tell(pack *rules.Pack, r *rules.Rule, m Mutant) (killed, born bool) {
	module, err := rules.Parse(r.File, []byte(m.source))
	if err != nil {
		return false, false
	}
	alone, err := pack.Single(r, module, rules.Watch{})
	if err != nil {
		return false, false
	}
	check := alone.Checks()[0]
	return slices.ContainsFunc(r.Scenarios().Cases, func(c scenario.Case) bool { return c.Ask(check).Text != c.Want }), true
}

// excuse is a comment that says why a mutant survives.
type excuse struct {
	comment, line int // where it stands, and what it is about
	kinds         []string
	reason        string
	used          bool
}

type excuses []*excuse

var excusing = regexp.MustCompile(`^ *survives ([a-z, ]+): *(.+)$`)

func excusesIn(module *ast.Module, source string) excuses {
	lines := strings.Split(source, "\n")
	var out excuses
	for _, c := range module.Comments {
		found := excusing.FindStringSubmatch(string(c.Text))
		if found == nil {
			continue
		}
		e := &excuse{comment: c.Location.Row, line: c.Location.Row, reason: found[2]}
		if strings.TrimSpace(lines[c.Location.Row-1][:c.Location.Col-1]) == "" {
			e.line++ // it stands alone, above
		}
		for k := range strings.SplitSeq(found[1], ",") {
			e.kinds = append(e.kinds, strings.TrimSpace(k))
		}
		out = append(out, e)
	}
	return out
}

// of is why a mutant survives, as a comment says.
func (all excuses) of(m Mutant) string {
	for _, e := range all {
		if e.line == m.Line && slices.Contains(e.kinds, m.Kind) {
			e.used = true
			return e.reason
		}
	}
	return ""
}
