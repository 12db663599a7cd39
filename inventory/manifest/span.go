package manifest

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// A syntax tree says where a value begins. Where it ends follows from the text and the tree together.

// span finds extents in one text.
type span struct {
	text  []byte
	lines *lineIndex
}

func newSpan(text []byte) span { return span{text, newLineIndex(text)} }

func (s span) offset(n *yaml.Node) int { return s.lines.offset(n.Line, n.Column) }

// lineOf is the beginning of the line that at is in, and the beginning of the next one.
func (s span) lineOf(at int) (start, next int) {
	low, high := 0, len(s.lines.starts)
	for low+1 < high {
		if middle := (low + high) / 2; s.lines.starts[middle] <= at {
			low = middle
		} else {
			high = middle
		}
	}
	if low+1 < len(s.lines.starts) {
		return s.lines.starts[low], s.lines.starts[low+1]
	}
	return s.lines.starts[low], len(s.text)
}

// lineEnd is the end of at's line without its break.
func (s span) lineEnd(at int) int {
	for at < len(s.text) && breakWidth(s.text[at:]) == 0 {
		at++
	}
	return at
}

// indent is the number of spaces that the line at start begins with.
func (s span) indent(start int) int {
	n := 0
	for start+n < len(s.text) && s.text[start+n] == ' ' {
		n++
	}
	return n
}

// blank reports whether there is only white space between two offsets.
func (s span) blank(from, to int) bool {
	return len(bytes.TrimLeft(s.text[from:to], " \t\r\n")) == 0
}

// skipBlank moves over white space and line breaks, not over comments.
func (s span) skipBlank(at int) int {
	for at < len(s.text) && isSpace(s.text[at]) {
		at++
	}
	return at
}

// byteAt is the byte at an offset, 0 beyond the end.
func (s span) byteAt(at int) byte {
	if at < len(s.text) {
		return s.text[at]
	}
	return 0
}

// skip moves over white space, line breaks, comments and the bytes given.
func (s span) skip(at int, also string) int {
	for at < len(s.text) {
		c := s.text[at]
		switch w := breakWidth(s.text[at:]); {
		case w > 0:
			at += w
		case c == ' ' || c == '\t':
			at++
		case c == '#' && (at == 0 || isSpace(s.text[at-1]) || bytes.IndexByte([]byte(also), s.text[at-1]) >= 0):
			at = s.lineEnd(at)
		case len(also) > 0 && bytes.IndexByte([]byte(also), c) >= 0:
			at++
		default:
			return at
		}
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

const quotedStyle = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle

const blockScalarStyle = yaml.LiteralStyle | yaml.FoldedStyle

// isEmpty reports whether n is a value that is not written, as in `key:`.
func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&(quotedStyle|blockScalarStyle) == 0
}

func hasProperties(n *yaml.Node) bool { return n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 }

// body is where n is written after its anchor and tag.
func (s span) body(n *yaml.Node) int {
	at := s.offset(n)
	if !hasProperties(n) {
		return at
	}
	end := at
	for c := s.byteAt(at); c == '&' || c == '!'; c = s.byteAt(at) {
		verbatim := bytes.HasPrefix(s.text[at:], []byte("!<"))
		for end = at; end < len(s.text) && !isSpace(s.text[end]); end++ {
			if c := s.text[end]; !verbatim && bytes.IndexByte([]byte(",[]{}"), c) >= 0 {
				break
			} else if verbatim && c == '>' {
				end++
				break
			}
		}
		at = s.skip(end, "")
	}
	if isEmpty(n) {
		return end
	}
	return at
}

// end is where n ends: after its last character, before the comment or the line break that follows. indent is that of
// the block collection that n is in, -1 for a root.
func (s span) end(n *yaml.Node, indent int) (int, bool) {
	at := s.body(n)
	switch {
	case n.Kind == yaml.AliasNode:
		return at + 1 + len(n.Value), s.byteAt(at) == '*'
	case n.Kind == yaml.ScalarNode:
		return s.scalarEnd(n, at, indent)
	case n.Style&yaml.FlowStyle != 0:
		return s.flowEnd(n, at)
	case len(n.Content) == 0:
		return at, false
	}
	last := n.Content[len(n.Content)-1]
	if !isEmpty(last) || hasProperties(last) {
		return s.end(last, n.Column-1)
	}
	if n.Kind == yaml.SequenceNode {
		return s.offset(last), true
	}
	k, ok := s.end(n.Content[len(n.Content)-2], n.Column-1)
	colon := s.skip(k, "")
	return colon + 1, ok && s.byteAt(colon) == ':'
}

func (s span) scalarEnd(n *yaml.Node, at, indent int) (int, bool) {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for at++; at < len(s.text) && s.text[at] != '"'; at++ {
			if s.text[at] == '\\' {
				at++
			}
		}
		return at + 1, at < len(s.text)
	case n.Style&yaml.SingleQuotedStyle != 0:
		for at++; at < len(s.text); at++ {
			if s.text[at] != '\'' {
				continue
			}
			if s.byteAt(at+1) != '\'' {
				return at + 1, true
			}
			at++
		}
		return at, false
	case n.Style&blockScalarStyle != 0:
		return s.blockScalarEnd(at, indent)
	}
	return s.plainEnd(at, n.Value)
}

// plainEnd follows the characters of a plain scalar through the text. Nothing in one is escaped; only white space, and
// the lines it is folded over, differ.
func (s span) plainEnd(at int, value string) (int, bool) {
	end := at
	for i := 0; i < len(value); i++ {
		if isSpace(value[i]) {
			continue
		}
		for at < len(s.text) && isSpace(s.text[at]) {
			at++
		}
		if s.byteAt(at) != value[i] {
			return end, false
		}
		at++
		end = at
	}
	return end, true
}

// blockScalarEnd finds the last line of a | or > scalar: lines belong to it as long as they are blank or indented as far
// as its first one. Blank lines at the end belong to it only when it keeps them (|+).
func (s span) blockScalarEnd(at, indent int) (int, bool) {
	_, next := s.lineOf(at)
	header := bytes.TrimRight(s.text[at:s.lineEnd(at)], " \t")
	if i := bytes.IndexByte(header, '#'); i >= 0 {
		header = bytes.TrimRight(header[:i], " \t")
	}
	end := at + len(header)
	keep := bytes.IndexByte(header, '+') >= 0
	content := 0
	if i := bytes.IndexAny(header, "123456789"); i >= 0 {
		content = max(indent, 0) + int(header[i]-'0')
	}
	for next < len(s.text) {
		lineEnd := s.lineEnd(next)
		depth := s.indent(next)
		switch {
		case next+depth == lineEnd: // blank
			if keep {
				end = lineEnd
			}
		case content == 0 && depth <= indent, content > 0 && depth < content:
			return end, true
		default:
			if content == 0 {
				content = max(depth, 1)
			}
			end = lineEnd
		}
		_, next = s.lineOf(lineEnd)
		if next <= lineEnd {
			break
		}
	}
	return end, true
}

// flowEnd is after the closing bracket. `[a: b]` holds a mapping without brackets, which ends with its value.
func (s span) flowEnd(n *yaml.Node, at int) (int, bool) {
	open := s.byteAt(at)
	end := at + 1
	if len(n.Content) > 0 {
		last := n.Content[len(n.Content)-1]
		missing := isEmpty(last) && !hasProperties(last) && n.Kind == yaml.MappingNode
		if missing {
			last = n.Content[len(n.Content)-2]
		}
		var ok bool
		if end, ok = s.end(last, -1); !ok {
			return end, false
		}
		if colon := s.skip(end, ""); missing && s.byteAt(colon) == ':' {
			end = colon + 1
		}
	}
	if !bracketed(n, open) {
		return end, len(n.Content) > 0
	}
	closing := s.skip(end, ",")
	c := s.byteAt(closing)
	return closing + 1, c == '}' && open == '{' || c == ']' && open == '['
}

// bracketed reports whether a flow collection that begins with c stands in brackets of its own.
func bracketed(n *yaml.Node, c byte) bool {
	return c == '{' && n.Kind == yaml.MappingNode || c == '[' && n.Kind == yaml.SequenceNode
}
