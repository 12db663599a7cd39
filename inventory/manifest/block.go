package manifest

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// block edits a block collection: lines are removed and inserted, everything between stays.
func (r *rewriter) block(slots slots, in layout) bool {
	if !slots.anySurvivor() {
		return false
	}
	for i, e := range in.elements {
		if v := slots.survivors[i]; v != nil && v.changed() && !r.value(v, in.indent) && !r.replaceInBlock(e, v, in.indent) {
			return false
		}
	}
	inline := r.isInline(in.elements[0].start)
	first := 0
	for !slots.survives[first] {
		first++
	}
	if inline && first > 0 {
		// The dash, or whatever stands before the first element, is kept for the first one that stays.
		r.cut(in.elements[0].start, r.span.skipBlank(r.tail(in, first-1)))
	}
	for i := range in.elements {
		if !slots.survives[i] && !(inline && i < first) {
			r.cutLines(in, i)
		}
	}
	for _, added := range slots.inserted {
		lines, ok := r.element(added)
		if !ok {
			return false
		}
		margin := strings.Repeat(" ", in.indent)
		switch {
		case added.after >= 0:
			r.insertLines(r.tail(in, added.after), margin, lines)
		case inline:
			r.put(in.elements[0].start, in.elements[0].start, strings.Join(lines, "\n"+margin)+"\n"+margin)
		default:
			r.insertLines(r.head(in, first), margin, lines)
		}
	}
	return true
}

// isInline reports whether something other than white space stands before at in its line, as the dash in `- from:`.
func (r *rewriter) isInline(at int) bool {
	start, _ := r.span.lineOf(at)
	return !r.span.blank(start, at)
}

// insertLines puts whole lines at an offset, which is the beginning of a line or the end of a text that does not end in
// a line break.
func (r *rewriter) insertLines(at int, margin string, lines []string) {
	text := indented(lines, margin)
	if at == len(r.span.text) && at > 0 && breakWidth(r.span.text[at-1:]) == 0 {
		r.put(at, at, "\n"+text)
		return
	}
	r.put(at, at, text+"\n")
}

// indented joins lines, all but empty ones after a margin.
func indented(lines []string, margin string) string {
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if line != "" {
			b.WriteString(margin + line)
		}
	}
	return b.String()
}

// head is where an element begins with the comments that are attached to it: comment lines directly above it, with the
// same indentation.
func (r *rewriter) head(in layout, i int) int {
	at, _ := r.span.lineOf(in.elements[i].start)
	stop := 0
	if i > 0 {
		stop = r.tail(in, i-1)
	}
	for at > stop {
		start, _ := r.span.lineOf(at - 1)
		if start < stop || r.span.indent(start) != in.indent || r.span.byteAt(start+in.indent) != '#' {
			break
		}
		at = start
	}
	return at
}

// tail is the beginning of the line after an element with the comments that are inside it: on its last line, and on
// lines below that are indented further than the element.
func (r *rewriter) tail(in layout, i int) int { return r.below(in.elements[i].end, in.indent) }

func (r *rewriter) below(at, indent int) int {
	_, end := r.span.lineOf(at)
	for at := end; at < len(r.span.text); {
		_, next := r.span.lineOf(at)
		line := bytes.TrimLeft(r.span.text[at:next], " \t\r\n")
		if len(line) > 0 && (line[0] != '#' || r.span.indent(at) <= indent) {
			break
		}
		at = next
		if len(line) > 0 {
			end = next
		}
	}
	return end
}

// replaceInBlock gives an element another value, in place of all that is written now.
func (r *rewriter) replaceInBlock(e element, value *live, indent int) bool {
	first, rest, ok := r.blockValue(e, value)
	if !ok {
		return false
	}
	below := ""
	if len(rest) > 0 {
		below = "\n" + indented(rest, strings.Repeat(" ", indent))
	}
	markerEnd, lastEnd := r.span.lineEnd(e.marker), r.span.lineEnd(e.end)
	collection := e.node.Kind != yaml.ScalarNode && e.node.Kind != yaml.AliasNode && e.node.Style&yaml.FlowStyle == 0
	if collection {
		// The comments below the last element of a collection go with it.
		last, _ := r.span.lineOf(r.below(e.end, indent) - 1)
		lastEnd = r.span.lineEnd(last)
	}
	switch {
	case below == "" && r.emptyBlock(e, value, indent, first):
	case e.value > markerEnd:
		// The value begins on a later line. What stands on the marker's line, a comment perhaps, stays.
		r.put(e.marker, e.marker, first)
		r.put(markerEnd, lastEnd, below)
	case below != "" && !collection:
		// The comment after the old value stays on the first line of the new one.
		r.put(e.marker, e.end, first)
		r.put(lastEnd, lastEnd, below)
	default:
		end := e.end
		if collection {
			end = lastEnd
		}
		// The space after the marker stays as wide as it is, unless lines below are aligned to what follows it.
		gap := string(r.span.text[e.marker:e.value])
		if trimmed := strings.TrimLeft(first, " "); gap != "" && trimmed != "" && below == "" {
			first = gap + trimmed
		}
		r.put(e.marker, end, first+below)
	}
	return true
}

// emptyBlock removes all elements of a collection, and leaves the comments between them that are attached to none.
// brackets is what stands for an empty collection.
func (r *rewriter) emptyBlock(e element, value *live, indent int, brackets string) bool {
	if value.origin == nil || value.replaced || value.tangled || len(value.members)+len(value.items) > 0 {
		return false
	}
	in, ok := r.span.layout(e.node, indent)
	if !ok || in.flow {
		return false
	}
	from := 0
	if r.isInline(in.elements[0].start) {
		last, _ := r.span.lineOf(r.tail(in, 0) - 1)
		r.put(in.elements[0].start, r.span.lineEnd(last), strings.TrimLeft(brackets, " "))
		from = 1
	} else {
		r.put(e.marker, e.marker, brackets)
	}
	for i := from; i < len(in.elements); i++ {
		r.cutLines(in, i)
	}
	return true
}
