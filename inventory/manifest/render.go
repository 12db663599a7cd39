package manifest

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// style is how new text is written so that it looks like its surroundings.
type style struct {
	json bool
	// step is the indentation of a mapping in a mapping.
	step int
	// compact sequences have their dashes in the column of the key above.
	compact bool
	// unit is the indentation of JSON that is written over several lines, tight JSON that is written without spaces.
	unit  string
	tight bool
}

// styleOf reads the style off a text: what the first nested collections do. Without any it is kubectl's.
func styleOf(s *source, root *yaml.Node) style {
	st := style{json: s.json, compact: true}
	if s.json {
		st.tight = !bytes.Contains(s.raw, []byte(": ")) && !bytes.Contains(s.raw, []byte(", "))
		if _, rest, ok := bytes.Cut(s.raw, []byte{'\n'}); ok {
			st.unit = string(rest[:len(rest)-len(bytes.TrimLeft(rest, " \t"))])
			st.tight = st.tight && st.unit == ""
		}
		return st
	}
	sequence := false
	st.measure(root, &sequence)
	if st.step == 0 {
		st.step = 2
	}
	return st
}

// measure looks for the first mapping in a mapping and the first sequence in a mapping.
func (st *style) measure(n *yaml.Node, sequence *bool) {
	if st.step > 0 && *sequence || n.Style&yaml.FlowStyle != 0 {
		return
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && child.Style&yaml.FlowStyle == 0 && child.Line > n.Content[i-1].Line {
			further := child.Column - n.Column
			switch {
			case child.Kind == yaml.MappingNode && st.step == 0 && further > 0:
				st.step = min(further, 9)
			case child.Kind == yaml.SequenceNode && !*sequence:
				*sequence, st.compact = true, further == 0
			}
		}
		st.measure(child, sequence)
	}
}

// element writes a new element of a block collection as lines.
func (r *rewriter) element(added insertion) ([]string, bool) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{added.value.node(added.like, true)}}
	if added.named {
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		n.Content = []*yaml.Node{brought(added.name).node(nil, true), n.Content[0]}
	}
	text, ok := r.encode(n)
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n"), ok
}

// blockValue writes the value of an element: what follows its marker on the same line, and the lines below.
func (r *rewriter) blockValue(e element, value *live) (first string, rest []string, ok bool) {
	added := insertion{value: value, like: e.node}
	marker := "-"
	if r.span.byteAt(e.marker-1) == ':' {
		added.named, added.name, marker = true, "k", "k:"
	}
	lines, ok := r.element(added)
	if !ok || !strings.HasPrefix(lines[0], marker) {
		return "", nil, false
	}
	return lines[0][len(marker):], lines[1:], true
}

// encode writes a tree in the style of the text. The encoder panics on trees that it holds to be impossible.
func (st style) encode(n *yaml.Node) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(st.step)
	if st.compact {
		e.CompactSeqIndent()
	}
	if err := e.Encode(n); err != nil {
		return "", false
	}
	if err := e.Close(); err != nil {
		return "", false
	}
	return b.String(), true
}
