package manifest

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// rewrite turns what operations did to a tree into changes of the text. ok is false when some part cannot be changed in
// place, or the new text does not say what is wanted.
func rewrite(s *source, tree *live, lineBreak string, want any) (edited []byte, ok bool) {
	for _, swallow := range []bool{false, true} {
		r := rewriter{span: newSpan(s.raw), style: styleOf(s, tree.origin), swallow: swallow}
		if !r.value(tree, -1) {
			return nil, false
		}
		if edited, ok = r.apply(lineBreak); !ok {
			return nil, false
		}
		if reads(s, edited, want) {
			return edited, true
		}
		// A text that ends without a line break keeps it so, unless it now ends in a block scalar, which needs one.
		if edited = append(edited, lineBreak...); reads(s, edited, want) {
			return edited, true
		}
	}
	return nil, false
}

// rewriter collects changes of one text.
type rewriter struct {
	style
	span    span
	patches []patch
	// swallow removes the blank lines after an element together with it. It is for when they would otherwise become part
	// of a text before it that keeps blank lines (|+).
	swallow bool
}

// patch replaces the text between two offsets.
type patch struct {
	start, end int
	text       string
}

func (r *rewriter) put(start, end int, text string) {
	r.patches = append(r.patches, patch{start, end, text})
}

func (r *rewriter) cut(start, end int) { r.put(start, end, "") }

// cutLines removes an element with its comments.
func (r *rewriter) cutLines(in layout, i int) {
	end := r.tail(in, i)
	for r.swallow && end < len(r.span.text) {
		_, next := r.span.lineOf(end)
		if !r.span.blank(end, next) {
			break
		}
		end = next
	}
	r.cut(r.head(in, i), end)
}

// apply makes the new text. Patches that overlap mean that the text was misunderstood.
func (r *rewriter) apply(lineBreak string) ([]byte, bool) {
	slices.SortStableFunc(r.patches, func(a, b patch) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return min(a.end-a.start, 1) - min(b.end-b.start, 1) // insertions before what is cut at the same place
	})
	var out bytes.Buffer
	at := 0
	for _, p := range r.patches {
		if p.start < at || p.end < p.start || p.end > len(r.span.text) {
			return nil, false
		}
		out.Write(r.span.text[at:p.start])
		out.WriteString(strings.ReplaceAll(p.text, "\n", lineBreak))
		at = p.end
	}
	out.Write(r.span.text[at:])
	return out.Bytes(), true
}

// value changes the text of l where it is. When it returns false, it has changed nothing, and the value is to be
// written anew.
func (r *rewriter) value(l *live, indent int) bool {
	if !l.changed() {
		return true
	}
	if l.origin == nil || l.replaced || l.tangled || l.origin.Kind != l.kind {
		return false
	}
	in, ok := r.span.layout(l.origin, indent)
	if !ok || len(in.elements) == 0 {
		return false
	}
	before := len(r.patches)
	if slots := slotsOf(l, in); in.flow && r.flow(slots, in) || !in.flow && r.block(slots, in) {
		return true
	}
	r.patches = r.patches[:before]
	return false
}

// slots say what becomes of the elements of a collection.
type slots struct {
	survives  []bool  // whether the element stays
	survivors []*live // what its value is now; nil for a merge key
	inserted  []insertion
}

// insertion is an element that is new.
type insertion struct {
	after int // the element that it follows; -1 when it comes before all that stay
	named bool
	name  string
	value *live
	// like and likeKey are neighbours whose quotes are copied; nil when there is none.
	like, likeKey *yaml.Node
}

func (s slots) anySurvivor() bool { return slices.Contains(s.survives, true) }

func slotsOf(l *live, in layout) slots {
	s := slots{survives: make([]bool, len(in.elements)), survivors: make([]*live, len(in.elements))}
	if l.kind == yaml.SequenceNode {
		s.sequence(l)
	} else {
		s.mapping(l, in.flow)
	}
	return s
}

func (s *slots) sequence(l *live) {
	index := make(map[*yaml.Node]int, len(l.origin.Content))
	for i, n := range l.origin.Content {
		index[n] = i
	}
	last := -1
	var like *yaml.Node
	if len(l.origin.Content) > 0 {
		like = l.origin.Content[0]
	}
	for _, item := range l.items {
		if i, ok := index[item.origin]; ok {
			s.survives[i], s.survivors[i] = true, item
			last = i
			continue
		}
		s.inserted = append(s.inserted, insertion{after: last, value: item, like: like})
	}
}

// mapping puts new entries at the end. An entry of a merge key that was changed is a new one, after the merge key.
func (s *slots) mapping(l *live, flow bool) {
	index := make(map[*yaml.Node]int, len(l.origin.Content)/2)
	for i := 0; i+1 < len(l.origin.Content); i += 2 {
		k := l.origin.Content[i]
		index[k] = i / 2
		s.survives[i/2] = isMergeKey(k)
	}
	for _, m := range l.members {
		if i, ok := index[m.key]; ok && m.key != nil {
			s.survives[i], s.survivors[i] = true, m.value
		}
	}
	last := len(s.survives) - 1
	for last > 0 && !s.survives[last] {
		last--
	}
	for _, m := range l.members {
		if m.key != nil || m.merged && !m.value.changed() {
			continue
		}
		in := insertion{after: last, named: true, name: m.name, value: m.value}
		if flow {
			in.likeKey, in.like = l.origin.Content[2*last], l.origin.Content[2*last+1]
		}
		s.inserted = append(s.inserted, in)
	}
}
