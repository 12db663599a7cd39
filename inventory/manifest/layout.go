package manifest

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// layout is how the text of a collection is laid out.
type layout struct {
	elements []element
	// flow collections stand in brackets, at open and close.
	flow        bool
	open, close int
	// indent is the number of spaces before the keys or dashes of a block collection.
	indent int
}

// element is an entry of a mapping or an item of a sequence.
//
//	start  marker
//	↓      ↓
//	methods: ["GET"]   # reads
//	         ↑      ↑
//	         value  end
type element struct {
	node   *yaml.Node // the value
	start  int        // of the key; in a block sequence, of the dash
	marker int        // after the colon or the dash; in a flow sequence, as value
	value  int        // of the value with its anchor and tag; marker when none is written
	end    int        // of the value
}

// layout finds the elements of a collection. ok is false when it is written in a way that is not edited in place:
// explicit keys (`? key`), mappings without brackets (`[a: b]`), and what the text does not agree with the tree about.
func (s span) layout(n *yaml.Node, indent int) (out layout, ok bool) {
	if n.Style&yaml.FlowStyle != 0 {
		end, ok := s.end(n, indent)
		open := s.body(n)
		if !ok || !bracketed(n, s.byteAt(open)) {
			return out, false
		}
		out = layout{flow: true, open: open, close: end - 1}
	} else {
		out.indent = n.Column - 1
		if hasProperties(n) && len(n.Content) > 0 {
			body := s.body(n)
			start, _ := s.lineOf(body)
			out.indent = body - start
		}
	}
	out.elements, ok = s.elements(n, out)
	return out, ok
}

func (s span) elements(n *yaml.Node, in layout) ([]element, bool) {
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	elements := make([]element, 0, len(n.Content)/step)
	after := s.body(n)
	for i := 0; i+step <= len(n.Content); i += step {
		e := element{node: n.Content[i+step-1]}
		var ok bool
		switch {
		case step == 2:
			ok = s.entryStart(&e, n.Content[i], in)
		case in.flow:
			e.start = s.offset(e.node)
			e.marker, ok = e.start, !isEmpty(e.node) || hasProperties(e.node)
		default:
			ok = s.dash(&e, in.indent, after)
		}
		if !ok {
			return nil, false
		}
		if isEmpty(e.node) && !hasProperties(e.node) {
			e.value, e.end = e.marker, e.marker
		} else {
			e.value = s.offset(e.node)
			if e.end, ok = s.end(e.node, in.indent); !ok || e.value < e.marker || e.end < e.value {
				return nil, false
			}
		}
		after = e.end
		elements = append(elements, e)
	}
	return elements, true
}

// entryStart finds the key and the colon of a mapping's entry.
func (s span) entryStart(e *element, k *yaml.Node, in layout) bool {
	e.start = s.offset(k)
	end, ok := s.end(k, in.indent)
	if !ok || s.explicit(e.start) {
		return false
	}
	if !in.flow {
		for s.byteAt(end) == ' ' || s.byteAt(end) == '\t' {
			end++
		}
		e.marker = end + 1
		return s.byteAt(end) == ':'
	}
	colon := s.skip(end, "")
	if s.byteAt(colon) == ':' {
		e.marker = colon + 1
	} else {
		e.marker = end // {key}
	}
	return true
}

// explicit reports whether a key is written after a question mark.
func (s span) explicit(at int) bool {
	before := bytes.TrimRight(s.text[:at], " \t\r\n")
	return len(before) < at && bytes.HasSuffix(before, []byte("?")) &&
		(len(before) == 1 || bytes.IndexByte([]byte(" \t\r\n{,-"), before[len(before)-2]) >= 0)
}

// dash finds the dash of a block sequence's item: the next thing after the item before, in the sequence's column.
func (s span) dash(e *element, indent, after int) bool {
	at := s.skip(after, "")
	start, _ := s.lineOf(at)
	e.start, e.marker = at, at+1
	return s.byteAt(at) == '-' && at-start == indent
}
