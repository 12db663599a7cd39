package packs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
)

const (
	// together is how many neighbouring objects share a View, and so what it remembers.
	together = 32
	// mostExamples are how many findings a preview names, and longestExample how long each is.
	mostExamples   = 10
	longestExample = 240
)

// Stored is what previews judge: what is stored, and what Guardrails give to rules.
type Stored struct {
	Snapshot   *mesh.Snapshot // nil while it is not known
	Ruled      bool           // whether it is known what Guardrails say
	Parameters *policies.Parameters
	Now        time.Time
}

// preview is what another revision of a pack changes among all that is stored, as far as that can be said before ctx ends. Rules are
// asked as the audit asks them, with the parameters that Guardrails give; their findings count whatever Guardrails and Exemptions make of
// them, and so does what a rule cannot answer. before is nil where no revision is in force.
func preview(ctx context.Context, s Stored, before *InForce, after *rules.Pack) *v1alpha1.RulePackPreview {
	out := &v1alpha1.RulePackPreview{Revision: after.Revision}
	if s.Snapshot == nil {
		return out
	}
	was, is := policies.NewCatalog(before.checks()), policies.NewCatalog(after.Checks())
	occasion := policies.Occasion{Phase: policies.AtAudit, Now: s.Now, Parameters: s.Parameters, Over: func() bool { return ctx.Err() != nil }}
	var view *policies.View
	for o := range s.Snapshot.Objects() {
		older, newer := was.OfObjects(o.Kind), is.OfObjects(o.Kind)
		if len(older)+len(newer) == 0 {
			continue
		}
		if out.Objects%together == 0 {
			view = policies.NewView(s.Snapshot)
			view.Occasion = occasion
		}
		had, has := found(older, view, o), found(newer, view, o)
		if ctx.Err() != nil {
			return out
		}
		out.Objects++
		for _, f := range beyond(has, had) {
			out.Adds++
			example(out, "adds %s to %s: %s", f)
		}
		for _, f := range beyond(had, has) {
			out.Removes++
			example(out, "removes %s from %s: %s", f)
		}
	}
	out.Unread = unread(s.Snapshot, before.checks(), after.Checks())
	out.Complete = len(out.Unread) == 0
	return out
}

// unread are the kinds that checks ask for and that the Snapshot does not show, by name: such checks answer nothing.
func unread(s *mesh.Snapshot, all ...[]*policies.Check) (out []string) {
	for _, c := range slices.Concat(all...) {
		for _, k := range slices.Concat(c.Kinds, c.Reads) {
			if !s.Reads(k) {
				out = append(out, rules.KindName(k))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// found is what checks find, and what they cannot answer. A panic is found nothing by: the audit tells of it.
func found(checks []*policies.Check, view *policies.View, o *mesh.Object) (out []policies.Finding) {
	defer func() { _ = recover() }()
	out = policies.Evaluate(checks, view, o)
	for _, f := range view.TakeFailures() {
		out = append(out, f.Finding)
	}
	view.TakeSkips()
	return out
}

// beyond is what one answer has and the other has not.
func beyond(one, other []policies.Finding) []policies.Finding {
	type key struct{ check, object, field, message string }
	keyOf := func(f *policies.Finding) key { return key{f.Check, f.Object.String(), f.Field, f.Message} }
	n := map[key]int{}
	for i := range other {
		n[keyOf(&other[i])]++
	}
	var out []policies.Finding
	for i := range one {
		if k := keyOf(&one[i]); n[k] > 0 {
			n[k]--
		} else {
			out = append(out, one[i])
		}
	}
	return out
}

func example(p *v1alpha1.RulePackPreview, format string, f policies.Finding) {
	if len(p.Examples) < mostExamples {
		object := mesh.Ref{Kind: f.Object.Kind, Namespace: f.Object.Namespace, Name: f.Object.Name}
		text := []rune(rules.OneLine(fmt.Sprintf(format, f.Check, object, f.Message)))
		if len(text) > longestExample {
			text = append(text[:longestExample-1], '…')
		}
		p.Examples = append(p.Examples, string(text))
	}
}

// told is a preview in sentences, for who applies the pack.
func told(p *v1alpha1.RulePackPreview) []string {
	so := ""
	switch {
	case len(p.Unread) > 0:
		so = " so far, for of what its rules ask for this is not read: " + strings.Join(p.Unread, ", ")
	case p.Objects == 0 && !p.Complete:
		return []string{"what this changes is not known yet: the mesh is still being read, or the time was over. See status.preview once it is stored."}
	case !p.Complete:
		so = " so far, for the time was over"
	}
	out := []string{fmt.Sprintf("in force, this adds %d findings and removes %d among %d stored objects that its rules are asked of%s.", p.Adds, p.Removes, p.Objects, so)}
	return append(out, p.Examples...)
}
