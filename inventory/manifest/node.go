package manifest

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is the syntax tree of l as it is now: what was not changed as it was written, aliases and merge keys written out.
// Comments come along when they were written at this place. like is a node whose quotes a new string copies.
func (l *live) node(like *yaml.Node, top bool) *yaml.Node {
	l.expand()
	var n *yaml.Node
	switch {
	case l.kind == yaml.MappingNode:
		n = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, m := range l.members {
			n.Content = append(n.Content, m.keyNode(), m.value.node(nil, false))
		}
	case l.kind == yaml.SequenceNode:
		n = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range l.items {
			n.Content = append(n.Content, item.node(nil, false))
		}
	case l.origin != nil && !l.replaced:
		n = new(*dealias(l.origin))
		n.Anchor = ""
		if isEmpty(n) && n.ShortTag() == "!!null" {
			n.Value = "null" // within brackets the encoder would write ''
		}
		if n.Style&blockScalarStyle != 0 && fragile(n.Value) {
			n.Style = yaml.DoubleQuotedStyle
		}
	default:
		if like == nil {
			like = l.origin
		}
		return scalarNode(l.value, like)
	}
	l.dress(n, top)
	return n
}

// dress gives a node the looks of its origin.
func (l *live) dress(n *yaml.Node, top bool) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	if l.origin == nil {
		return
	}
	o := dealias(l.origin)
	if o.Kind == n.Kind && o.Kind != yaml.ScalarNode && len(o.Content) > 0 {
		n.Style = o.Style &^ yaml.TaggedStyle
	}
	if o == l.origin && !l.foreign && !top {
		n.HeadComment, n.LineComment, n.FootComment = o.HeadComment, o.LineComment, o.FootComment
	}
}

func (m *member) keyNode() *yaml.Node {
	if m.key == nil || m.key.Kind != yaml.ScalarNode {
		k := scalarNode(m.name, nil)
		k.HeadComment = m.note
		return k
	}
	k := new(*m.key)
	k.Anchor = ""
	if m.value.foreign {
		k.HeadComment, k.LineComment, k.FootComment = "", "", ""
	} else if o := m.value.origin; o != nil && o.Kind == yaml.AliasNode {
		k.HeadComment = joinComments(k.HeadComment, o.LineComment)
	}
	k.HeadComment = joinComments(m.note, k.HeadComment)
	return k
}

func joinComments(comments ...string) string {
	return strings.Join(slices.DeleteFunc(comments, func(c string) bool { return c == "" }), "\n")
}

// scalarNode writes a value; text in the quotes of like.
func scalarNode(value any, like *yaml.Node) *yaml.Node {
	var n yaml.Node
	if err := n.Encode(value); err != nil || n.Kind != yaml.ScalarNode {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	text, ok := value.(string)
	if !ok {
		return &n
	}
	several := strings.Contains(text, "\n")
	quoted := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	switch {
	case several && fragile(text):
		quoted.Style = yaml.DoubleQuotedStyle
	case like == nil || like.Kind != yaml.ScalarNode:
		return &n
	case like.Style&quotedStyle != 0 && !several:
		quoted.Style = like.Style & quotedStyle
	case like.Style&blockScalarStyle != 0 && several:
		quoted.Style = like.Style & blockScalarStyle
	default:
		return &n
	}
	return &quoted
}

// fragile reports whether text of several lines is safe only in double quotes. Blank lines at its end would run into
// those that follow (|+), and white space at its beginning needs an indentation indicator (|2), which the encoder gets
// wrong when the indentation is not 2.
func fragile(text string) bool {
	return strings.HasSuffix(text, "\n\n") || text != "" && (text[0] == ' ' || text[0] == '\n' || text[0] == '\t')
}
