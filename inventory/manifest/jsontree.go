package manifest

import (
	"encoding/json"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// jsonTree is the syntax tree of one valid JSON value. JSON is nearly YAML, but only nearly: the YAML parser refuses
// escaped surrogate pairs, DEL, and keys over 1024 characters, all of which Kubernetes takes.
func jsonTree(raw []byte) *yaml.Node {
	p := jsonParser{raw: raw, line: 1, column: 1}
	return p.value()
}

// jsonParser relies on raw being valid: encoding/json has decoded it before.
type jsonParser struct {
	raw          []byte
	at           int
	line, column int
}

// step moves over one character, counting lines as YAML does so that lineIndex fits.
func (p *jsonParser) step() {
	if w := breakWidth(p.raw[p.at:]); w > 0 {
		p.at += w
		p.line++
		p.column = 1
		return
	}
	w := 1
	if p.raw[p.at] >= utf8.RuneSelf {
		_, w = utf8.DecodeRune(p.raw[p.at:])
	}
	p.at += w
	p.column++
}

// next moves to the next token and returns its first byte, 0 at the end.
func (p *jsonParser) next() byte {
	for p.at < len(p.raw) {
		switch c := p.raw[p.at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			p.step()
		default:
			return c
		}
	}
	return 0
}

func (p *jsonParser) value() *yaml.Node {
	c := p.next()
	n := &yaml.Node{Line: p.line, Column: p.column}
	switch c {
	case '{', '[':
		n.Kind, n.Tag, n.Style = yaml.MappingNode, "!!map", yaml.FlowStyle
		if c == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		p.step()
		for c := p.next(); c != '}' && c != ']' && c != 0; c = p.next() {
			n.Content = append(n.Content, p.value())
		}
		if p.at < len(p.raw) {
			p.step()
		}
	case '"':
		n.Kind, n.Tag, n.Style = yaml.ScalarNode, "!!str", yaml.DoubleQuotedStyle
		n.Value = p.str()
	default:
		n.Kind = yaml.ScalarNode
		n.Value = p.word()
		n.Tag = wordTag(n.Value)
	}
	return n
}

func (p *jsonParser) str() string {
	start := p.at
	p.step()
	for p.at < len(p.raw) && p.raw[p.at] != '"' {
		if p.raw[p.at] == '\\' {
			p.step()
		}
		if p.at < len(p.raw) {
			p.step()
		}
	}
	if p.at < len(p.raw) {
		p.step()
	}
	var s string
	_ = json.Unmarshal(p.raw[start:p.at], &s)
	return s
}

// word takes a number, true, false or null.
func (p *jsonParser) word() string {
	start := p.at
	for p.at < len(p.raw) {
		switch p.raw[p.at] {
		case ' ', '\t', '\r', '\n', ',', ':', '}', ']':
			return string(p.raw[start:p.at])
		}
		p.step()
	}
	return string(p.raw[start:p.at])
}

func wordTag(word string) string {
	switch word {
	case "null":
		return "!!null"
	case "true", "false":
		return "!!bool"
	}
	return "!!int"
}
