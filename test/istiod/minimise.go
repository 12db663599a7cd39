package istiod

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/test/oracle"
)

// Part is one object of a mesh: as it was before a round of changes, where that matters, and as it is. Either may be nil.
type Part struct{ Before, After *unstructured.Unstructured }

func (p Part) object() *unstructured.Unstructured {
	if p.After != nil {
		return p.After
	}
	return p.Before
}

// minimiser looks for the smallest mesh in which Waywarden and istiod still disagree about an object, on the
// cluster where they were found to. It makes parts of the mesh in fresh Namespaces, waits until istiod
// has settled, and compares: first whole Namespaces are left out, then kinds, then objects, then labels,
// annotations and fields.
type minimiser struct {
	*world
	disagree func(oracle.Recording) []oracle.Difference
	prefix   string // what the names of the mesh's Namespaces begin with, as in "s77-"
	about    oracle.Difference
	until    time.Time
	attempts int
}

// Smallest is what came of it.
type Smallest struct {
	Parts    []Part // named as in the mesh; nil where the difference did not recur
	Attempts int
	Note     string // why it is not the smallest, "" where nothing more can be left out
}

var errOutOfTime = errors.New("out of time")

// minimise empties the cluster of the mesh, and looks for the smallest part of it in which disagree still says
// the same. Where the mesh made anew shows no difference, it is made as it was before and then changed.
// It stops after limit.
func (x minimiser) minimise(ctx context.Context, before, after Mesh, limit time.Duration) (Smallest, error) {
	x.until, x.history = time.Now().Add(limit), history{}
	defer func() { x.only = "" }()
	if err := errors.Join(x.wipe(ctx, after.Objects), x.wipe(ctx, before.Objects)); err != nil {
		return Smallest{}, err
	}
	left := parts(Mesh{}, after)
	again, err := x.recurs(ctx, left)
	if err == nil && !again {
		left = parts(before, after)
		again, err = x.recurs(ctx, left)
	}
	if err == nil && !again {
		return Smallest{Attempts: x.attempts, Note: "the mesh made anew, and then changed, shows no such difference: it comes of the order in which things happened"}, nil
	}
	if err == nil {
		left, err = x.guess(ctx, left)
	}
	for _, key := range []func(Part) string{inNamespace, ofKind, itself} {
		if err == nil {
			left, err = x.shrink(ctx, grouped(left, key))
		}
	}
	if err == nil {
		left, err = x.strip(ctx, left)
	}
	out := Smallest{Parts: left, Attempts: x.attempts}
	if errors.Is(err, errOutOfTime) {
		out.Note, err = fmt.Sprintf("stopped after %s, so more may be superfluous", limit), nil
	}
	return out, err
}

// parts are the objects of a mesh with what each was before. What is installed stays in the cluster and is no part.
func parts(before, after Mesh) []Part {
	var out []Part
	at := map[string]int{}
	for i, objects := range [][]*unstructured.Unstructured{before.Objects, after.Objects} {
		for _, o := range objects {
			if o.GetKind() == "Deployment" {
				continue
			}
			k := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
			if _, ok := at[k]; !ok {
				at[k] = len(out)
				out = append(out, Part{})
			}
			if p := &out[at[k]]; i == 0 {
				p.Before = o
			} else {
				p.After = o
			}
		}
	}
	return out
}

// guess tries the Namespace of the object alone, where most differences are at home.
func (x *minimiser) guess(ctx context.Context, left []Part) ([]Part, error) {
	own := slices.DeleteFunc(slices.Clone(left), func(p Part) bool { return inNamespace(p) != "" && inNamespace(p) != x.about.Object.Namespace })
	if ok, err := x.recurs(ctx, own); !ok || err != nil {
		return left, err
	}
	return own, nil
}

// shrink leaves out as many groups of parts as it can. On an error what is left so far comes with it.
func (x *minimiser) shrink(ctx context.Context, groups [][]Part) ([]Part, error) {
	left, err := reduce(groups, func(some [][]Part) (bool, error) { return x.recurs(ctx, slices.Concat(some...)) })
	return slices.Concat(left...), err
}

func inNamespace(p Part) string {
	if p.object().GetKind() == "Namespace" {
		return p.object().GetName()
	}
	return p.object().GetNamespace()
}

func ofKind(p Part) string { return p.object().GetKind() }

func itself(p Part) string {
	return p.object().GetKind() + " " + p.object().GetNamespace() + "/" + p.object().GetName()
}

func grouped(all []Part, key func(Part) string) [][]Part {
	groups := map[string][]Part{}
	for _, p := range all {
		groups[key(p)] = append(groups[key(p)], p)
	}
	var out [][]Part
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, groups[k])
	}
	return out
}

// strip leaves out labels, annotations and fields of the spec, one by one.
func (x *minimiser) strip(ctx context.Context, left []Part) ([]Part, error) {
	for i := range left {
		for _, path := range [][]string{{"metadata", "labels"}, {"metadata", "annotations"}, {"spec"}} {
			fields, _, _ := unstructured.NestedMap(left[i].object().Object, path...)
			for _, field := range slices.Sorted(maps.Keys(fields)) {
				candidate := slices.Clone(left)
				candidate[i] = left[i].without(append(slices.Clone(path), field))
				ok, err := x.recurs(ctx, candidate)
				if err != nil {
					return left, err
				}
				if ok {
					left = candidate
				}
			}
		}
	}
	return left, nil
}

func (p Part) without(path []string) Part {
	if p.Before == p.After {
		p.Before = nil // made once
	}
	for _, o := range []**unstructured.Unstructured{&p.Before, &p.After} {
		if *o != nil {
			*o = (*o).DeepCopy()
			unstructured.RemoveNestedField((*o).Object, path...)
		}
	}
	return p
}

// recurs makes parts anew in Namespaces of other names, and is whether the difference is there again. What the
// API server does not take is not there; objects without their Namespace are no mesh.
func (x *minimiser) recurs(ctx context.Context, some []Part) (bool, error) {
	if time.Now().After(x.until) {
		return false, errOutOfTime
	}
	if !x.whole(some) {
		return false, nil
	}
	x.attempts++
	fresh := fmt.Sprintf("min%d-", x.attempts)
	x.only, x.history = fresh, history{}
	first, then := x.steps(some, fresh)
	err := x.applyInTurn(ctx, first)
	if err == nil {
		err = x.settle(ctx, time.Second, time.Minute)
	}
	if err == nil && len(then) > 0 {
		x.standing = time.Now()
		err = x.change(ctx, then)
		x.edited = time.Now()
		if err == nil {
			err = x.settle(ctx, time.Second, time.Minute)
		}
	}
	if err != nil {
		return false, err
	}
	r, err := x.record(ctx)
	if err != nil {
		return false, err
	}
	again := slices.ContainsFunc(x.disagree(r), func(d oracle.Difference) bool { return x.same(d, fresh) })
	for _, c := range then {
		first = append(first, c.Object)
	}
	return again, x.wipe(ctx, first)
}

// steps are what is made at first, what others live in first of all, and what is then done to it.
func (x *minimiser) steps(some []Part, fresh string) (first []*unstructured.Unstructured, then []Change) {
	renamed := func(o *unstructured.Unstructured) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: rename(o.Object, x.prefix, fresh).(map[string]any)}
	}
	for _, p := range some {
		switch {
		case p.Before == nil:
			first = append(first, renamed(p.After))
		case p.After == nil:
			first = append(first, renamed(p.Before))
			then = append(then, Change{renamed(p.Before), true})
		case p.Before == p.After:
			first = append(first, renamed(p.Before))
		default:
			first = append(first, renamed(p.Before))
			then = append(then, Change{renamed(p.After), false})
		}
	}
	slices.SortStableFunc(first, func(a, b *unstructured.Unstructured) int {
		return min(1, len(a.GetNamespace())) - min(1, len(b.GetNamespace()))
	})
	return first, then
}

// whole is whether every object has its Namespace, and so has the object that it is all about.
func (x *minimiser) whole(some []Part) bool {
	spaces := map[string]bool{"": true, rootNamespace: true}
	for _, p := range some {
		if ofKind(p) == "Namespace" {
			spaces[p.object().GetName()] = true
		}
	}
	return spaces[x.about.Object.Namespace] && !slices.ContainsFunc(some, func(p Part) bool { return !spaces[p.object().GetNamespace()] })
}

// rename is a value with the beginning of the Namespaces' names changed wherever it stands.
func rename(v any, from, to string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, from, to)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = rename(v[i], from, to)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = rename(v[k], from, to)
		}
		return out
	}
	return v
}

// same is whether a difference is the one that is looked for, in a mesh with other names. What is still there of the
// mesh under its own names does not count.
func (x *minimiser) same(d oracle.Difference, fresh string) bool {
	named := func(s string) string { return strings.ReplaceAll(s, x.prefix, fresh) }
	o, want := d.Object, x.about.Object
	return d.About == x.about.About && o.Kind == want.Kind && o.Namespace == named(want.Namespace) && o.Name == named(want.Name) &&
		d.Ours == named(x.about.Ours) && d.Istiod == named(x.about.Istiod)
}

// wipe deletes the Namespaces of a mesh, and its objects in no Namespace or in the root namespace. What is installed stays.
// Services that ask for an address do not wait for their Namespace to go: those of the next attempt ask for the same.
func (w *world) wipe(ctx context.Context, objects []*unstructured.Unstructured) error {
	var changes []Change
	for _, o := range objects {
		address, _, _ := unstructured.NestedString(o.Object, "spec", "clusterIP")
		switch {
		case o.GetKind() == "Namespace":
			err := w.Dynamic.Resource(namespaceResource).Delete(ctx, o.GetName(), metav1.DeleteOptions{})
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				return err
			}
		case address != "", o.GetKind() != "Deployment" && (o.GetNamespace() == "" || o.GetNamespace() == rootNamespace):
			changes = append(changes, Change{o, true})
		}
	}
	return w.change(ctx, changes)
}

// String is the mesh as YAML. Where changes matter it is what to make first, and what to do then.
func (s Smallest) String() string {
	var first, then strings.Builder
	for _, p := range s.Parts {
		switch {
		case p.Before == nil:
			write(&first, p.After)
		case p.After == nil:
			write(&first, p.Before)
			fmt.Fprintf(&then, "---\n# delete %s %s/%s\n", p.Before.GetKind(), p.Before.GetNamespace(), p.Before.GetName())
		default:
			write(&first, p.Before)
			if p.Before != p.After {
				write(&then, p.After)
			}
		}
	}
	if then.Len() > 0 {
		return first.String() + "---\n# then:\n" + then.String()
	}
	return first.String()
}

func write(b *strings.Builder, o *unstructured.Unstructured) {
	raw, err := yaml.Marshal(o.Object)
	if err != nil {
		raw = []byte(err.Error())
	}
	b.WriteString("---\n")
	b.Write(raw)
}
