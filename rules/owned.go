package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies/mesh"
)

// What controllers make of something that is read itself shows neither name nor spec (mesh.Lean): what stands there is asked of its owner. A
// rule that asks of the made ones alone finds what nobody owns, and falls silent about the rest, which are most.

// owners are the kinds that make objects of a kind.
var owners = map[mesh.Kind][]mesh.Kind{
	mesh.Pod:        {mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Job, mesh.CronJob},
	mesh.ReplicaSet: {mesh.Deployment},
	mesh.Job:        {mesh.CronJob},
}

// ownerless are the kinds that a rule is asked of while it is asked of nothing that makes them.
func (r *Rule) ownerless() (out []mesh.Kind) {
	for _, k := range r.Kinds {
		makers, made := owners[k]
		if made && !slices.ContainsFunc(makers, func(o mesh.Kind) bool { return slices.Contains(r.Kinds, o) }) {
			out = append(out, k)
		}
	}
	return out
}

// ofOwned is the shape of the objects of a rule with what owned ones do not show.
func (s *shape) ofOwned(r *Rule, of sight) *shape {
	lone := r.ownerless()
	if s == nil || len(lone) == 0 {
		return s
	}
	out := *s
	out.fields = maps.Clone(s.fields)
	if m := out.fields["metadata"]; m != nil {
		out.fields["metadata"] = m.hiding("name")
	}
	if !slices.ContainsFunc(r.Kinds, func(k mesh.Kind) bool { return !k.MadeByControllers() }) {
		return out.hiding("spec")
	}
	others := slices.DeleteFunc(slices.Clone(r.Kinds), func(k mesh.Kind) bool { return slices.Contains(lone, k) })
	spec := out.fields["spec"]
	if spec == nil {
		return &out
	}
	var hidden []string // what no other kind has
	for name := range spec.fields {
		has := func(k mesh.Kind) bool {
			spec := of.kindShape(k).fields["spec"]
			return spec != nil && (!spec.closed || spec.fields[name] != nil)
		}
		if slices.ContainsFunc(lone, has) && !slices.ContainsFunc(others, has) {
			hidden = append(hidden, name)
		}
	}
	out.fields["spec"] = spec.hiding(hidden...)
	return &out
}

// hiding is a shape some fields of which owned objects do not show.
func (s *shape) hiding(fields ...string) *shape {
	out := *s
	out.hidden = map[string]bool{}
	for _, f := range fields {
		out.hidden[f] = true
	}
	return &out
}

// shown takes down that a field is looked at which owned objects do not show, or all fields where one of them is such.
func (f *flow) shown(s *shape, key *ast.Term, at *ast.Location) {
	text, ok := key.Value.(ast.String)
	switch {
	case ok && text == "ownerReferences":
		f.knowsOwners = f.knowsOwners || f.say != nil && f.reached[f.rule]
	case s != nil && (ok && s.hidden[string(text)] || !ok && s.hides()):
		f.silent(at)
	}
}

// got is a step of object.get, which has a value in place of a name that is not shown.
func (f *flow) got(s *shape, key *ast.Term, at *ast.Location) *shape {
	if !key.Equal(ast.StringTerm("name")) {
		f.shown(s, key, at)
	}
	return f.step(s, key, at)
}

// hides is whether something is missed of owned objects by who looks at all fields. Their name alone is not.
func (s *shape) hides() bool { return s != nil && len(s.hidden) > 0 && !s.hidden["name"] }

// silent takes a place down at which the rule has nothing to look at in owned objects: the first in the file of the rule, where there is one.
func (f *flow) silent(at *ast.Location) {
	if f.say == nil || !f.reached[f.rule] {
		return
	}
	rank := func(l *ast.Location) int {
		if l.File == f.file {
			return 0
		}
		return 1
	}
	order := func(a, b *ast.Location) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col))
	}
	if f.silentAt == nil || order(at, f.silentAt) < 0 {
		f.silentAt = at
	}
}

// owned refuses a rule that looks at what owned objects do not show, asks of nothing that owns them, and does not say that it means the
// others.
func (f *flow) owned(r *Rule) {
	if f.silentAt == nil || f.knowsOwners {
		return
	}
	var of, ask []string
	for _, k := range r.ownerless() {
		of = append(of, k.String())
		for _, o := range owners[k] {
			ask = append(ask, KindName(o))
		}
	}
	f.say(f.silentAt, fmt.Sprintf("rule %s would be silent about most objects of kind %s: those that something owns show no name and no spec, which are asked of the owner, and match.kinds names none. "+
		"Ask of the owners' templates as well, with match.kinds of %s (docs/writing-rules.md), or say that it is about those without one: not input.object.metadata.ownerReferences.",
		r.ID, strings.Join(of, " and "), strings.Join(slices.Compact(ask), ", ")))
}
