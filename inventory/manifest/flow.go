package manifest

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// flow edits collections in brackets, which JSON consists of: elements are removed and inserted with their commas, in
// the spacing of their neighbours.
func (r *rewriter) flow(slots slots, in layout) bool {
	if !slots.anySurvivor() {
		return false
	}
	for i, e := range in.elements {
		if v := slots.survivors[i]; v != nil && v.changed() && !r.value(v, in.indent) && !r.replaceInFlow(e, v) {
			return false
		}
	}
	r.removeFromFlow(slots, in)
	separator, margin := r.separator(in)
	firstStaying := 0
	for !slots.survives[firstStaying] {
		firstStaying++
	}
	appended := ""
	for i, added := range slots.inserted {
		text, ok := r.flowElement(added, margin)
		if !ok {
			return false
		}
		switch {
		case added.after < 0:
			at := in.elements[firstStaying].start
			r.put(at, at, text+","+separator)
		case added.after+1 < len(in.elements) && slots.survives[added.after+1]:
			at := in.elements[added.after+1].start
			r.put(at, at, text+","+separator)
		default:
			appended += separator + text
			if i+1 < len(slots.inserted) && slots.inserted[i+1].after == added.after {
				appended += ","
				continue
			}
			r.appendToFlow(in, added.after, appended)
			appended = ""
		}
	}
	return true
}

// removeFromFlow removes each element together with the comma after it; at the end, with the comma before it. An element
// that has lines of its own takes them along, with the comments on them and above.
func (r *rewriter) removeFromFlow(slots slots, in layout) {
	last := len(in.elements) - 1
	staying := last
	for !slots.survives[staying] {
		staying--
	}
	for i := range in.elements[:staying] {
		if slots.survives[i] {
			continue
		}
		if from, to, ok := r.ownLines(in, i); ok {
			r.cut(from, to)
		} else {
			r.cut(in.elements[i].start, in.elements[i+1].start)
		}
	}
	if staying == last {
		return
	}
	end := in.elements[staying].end
	first, _, ok := r.ownLines(in, staying+1)
	_, after, okLast := r.ownLines(in, last)
	if !ok || !okLast {
		r.cut(end, in.elements[last].end)
		return
	}
	r.cut(first, after)
	if trailing := r.span.skip(in.elements[last].end, ""); r.span.byteAt(trailing) == ',' {
		return
	}
	if comma := r.span.skip(end, ""); r.span.byteAt(comma) == ',' {
		r.cut(comma, comma+1)
	}
}

// ownLines are the lines of an element that shares them with no other and no bracket.
func (r *rewriter) ownLines(in layout, i int) (from, to int, ok bool) {
	e := in.elements[i]
	from, _ = r.span.lineOf(e.start)
	at, comma := e.end, i+1 == len(in.elements)
	for c := r.span.byteAt(at); c == ' ' || c == '\t' || c == ','; c = r.span.byteAt(at) {
		comma = comma || c == ','
		at++
	}
	if c := r.span.byteAt(at); !comma || c != '\n' && c != '\r' && c != '#' || !r.span.blank(from, e.start) {
		return 0, 0, false
	}
	_, to = r.span.lineOf(at)
	stop := in.open
	if i > 0 {
		stop = in.elements[i-1].end
	}
	for from > stop {
		above, _ := r.span.lineOf(from - 1)
		if line := bytes.TrimLeft(r.span.text[above:from], " \t"); above <= stop || line[0] != '#' {
			break
		}
		from = above
	}
	return from, to, from > stop
}

// appendToFlow puts text after an element that no staying element follows.
func (r *rewriter) appendToFlow(in layout, after int, text string) {
	at := in.elements[after].end
	stop := in.close
	if after+1 < len(in.elements) {
		stop = at // what follows is removed together with its comma
	}
	between := r.span.text[at:stop]
	comma := bytes.IndexByte(between, ',')
	if hash := bytes.IndexByte(between, '#'); hash >= 0 && hash < comma {
		comma = -1
	}
	if comma >= 0 {
		at += comma + 1 // a comma after the last element
	} else {
		r.put(at, at, ",")
	}
	if end := r.span.lineEnd(at); strings.HasPrefix(text, "\n") && end < stop {
		at = end // after the comment on the line
	}
	r.put(at, at, text)
}

// separator is what stands between a comma and the next element: a line break and margin when each element has a line of
// its own, else a space or nothing.
func (r *rewriter) separator(in layout) (separator, margin string) {
	first := in.elements[0].start
	if bytes.IndexByte(r.span.text[in.open:first], '\n') >= 0 {
		start, _ := r.span.lineOf(first)
		margin = string(r.span.text[start:first])
		if strings.Trim(margin, " \t") == "" {
			return "\n" + margin, margin
		}
	}
	start, _ := r.span.lineOf(in.open)
	line := string(r.span.text[start:in.open])
	margin = line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	if r.tight {
		return "", margin
	}
	return " ", margin
}

func (r *rewriter) replaceInFlow(e element, value *live) bool {
	start, _ := r.span.lineOf(e.value)
	line := string(r.span.text[start:e.value])
	margin := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	text, ok := r.flowValue(value, margin, e.node)
	if !ok {
		return false
	}
	if e.value == e.end { // `{key: }` or `{key}`
		if r.span.byteAt(e.marker-1) != ':' {
			text = ":" + " " + text
		} else {
			text = " " + text
		}
	}
	r.put(e.value, e.end, text)
	return true
}

// flowElement is a new entry or item in the style of its neighbour.
func (r *rewriter) flowElement(added insertion, margin string) (string, bool) {
	if added.like == nil || added.like.Kind != yaml.ScalarNode {
		added.like = added.likeKey
	}
	value, ok := r.flowValue(added.value, margin, added.like)
	if !ok || !added.named {
		return value, ok
	}
	colon := ": "
	if r.tight {
		colon = ":"
	}
	name, ok := r.flowValue(brought(added.name), margin, added.likeKey)
	return name + colon + value, ok
}

// flowValue writes a value in brackets. JSON that is written over several lines stays so.
func (r *rewriter) flowValue(value *live, margin string, like *yaml.Node) (string, bool) {
	if r.json {
		w := jsonWriter{unit: r.unit, tight: r.tight}
		w.value(value, margin)
		return w.String(), true
	}
	node := value.node(like, false)
	flowStyle(node, like != nil && like.Style&yaml.DoubleQuotedStyle != 0)
	text, ok := r.encode(&yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle, Content: []*yaml.Node{node}})
	text = strings.TrimSuffix(text, "\n")
	if !ok || strings.Contains(text, "\n") || !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, "]") {
		return "", false
	}
	return text[1 : len(text)-1], true
}

// flowStyle puts a tree into brackets, and text in quotes where its surroundings look like JSON. It drops comments: they
// have no place within a line.
func flowStyle(n *yaml.Node, quoted bool) {
	n.Style &^= blockScalarStyle
	switch {
	case n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode:
		n.Style |= yaml.FlowStyle
	case quoted && n.ShortTag() == "!!str" && n.Style&quotedStyle == 0:
		n.Style |= yaml.DoubleQuotedStyle
	}
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	for _, child := range n.Content {
		flowStyle(child, quoted)
	}
}
