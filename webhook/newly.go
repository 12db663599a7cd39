package webhook

import (
	"reflect"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// newly leaves of the findings about one of meshKinds those that it did not have before: Services and
// Namespaces are updated by many, and most of them cannot do anything about what was there. What could not be found out is left as well: that it
// could not before says nothing of what it would have been.
func newly(c *change, before *policies.View, findings []policies.Finding) []policies.Finding {
	if len(findings) == 0 {
		return nil
	}
	var checks []*policies.Check // the others can say nothing that is asked here
	var only []string
	for _, k := range c.asked(c.old.Kind) {
		if slices.ContainsFunc(findings, func(f policies.Finding) bool { return f.Check == k.ID && !f.Failed }) {
			checks, only = append(checks, k), append(only, k.ID)
		}
	}
	occasion := before.Occasion
	occasion.Only = only
	was := ask(checks, on(occasion, before.Snapshot), c.old)
	left := findings[:0]
	for _, same := range []func(f, o *policies.Finding) bool{
		func(f, o *policies.Finding) bool { return f.Message == o.Message && f.Field == o.Field },
		func(f, o *policies.Finding) bool { return f.Message == o.Message }, // what stands before it has come or gone
		func(f, o *policies.Finding) bool { return f.Field == o.Field && sameAt(f.Field, c.old, c.new) },
	} {
		left = findings[:0]
		for _, f := range findings {
			if f, was = unmet(f, was, same); f.Check != "" {
				left = append(left, f)
			}
		}
		findings = left
	}
	return left
}

// unmet is a finding without what one of those that were there before said already, which is then used up: two that are alike are not there
// because one was. Of a finding with several sets of parameters it leaves those with which it was not found.
func unmet(f policies.Finding, was []policies.Finding, same func(f, o *policies.Finding) bool) (policies.Finding, []policies.Finding) {
	i := slices.IndexFunc(was, func(o policies.Finding) bool {
		return !f.Failed && !o.Failed && o.Check == f.Check && o.Verdict == f.Verdict && o.Severity == f.Severity && same(&f, &o) &&
			(f.Params == nil || slices.ContainsFunc(f.Params, func(key string) bool { return slices.Contains(o.Params, key) }))
	})
	if i < 0 {
		return f, was
	}
	params := slices.DeleteFunc(slices.Clone(f.Params), func(key string) bool { return slices.Contains(was[i].Params, key) })
	if was = slices.Delete(was, i, i+1); len(params) == 0 {
		return policies.Finding{}, was
	}
	f.Params = params
	return f, was
}

// sameAt is whether a field of an object, as messages name it, is what it was. The whole of an object is not.
func sameAt(field string, old, now *mesh.Object) bool {
	if field == "" {
		return false
	}
	pointer := policies.Pointer(elements(field)...)
	return reflect.DeepEqual(at(old.Content(), pointer), at(now.Content(), pointer))
}

// elements are those of a field's name, as in "spec.listeners[0].port" and "metadata.labels[istio.io/rev]".
func elements(field string) []string {
	var out []string
	for field != "" {
		if rest, ok := strings.CutPrefix(field, "["); ok {
			element, after, _ := strings.Cut(rest, "]")
			out, field = append(out, element), after
			continue
		}
		field = strings.TrimPrefix(field, ".")
		end := strings.IndexAny(field, ".[")
		if end < 0 {
			end = len(field)
		}
		out, field = append(out, field[:end]), field[end:]
	}
	return out
}
