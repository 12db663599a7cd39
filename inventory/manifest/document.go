package manifest

import (
	"sync"

	"go.yaml.in/yaml/v3"
)

// Document is one Kubernetes object as found in a file. It is safe for concurrent use as long as Content is not changed.
type Document struct {
	// File is the path as given, or as found in a directory that was given; "<stdin>" for standard input.
	File string
	// Line is the 1-based line of the document's first content line; of an item of a List, the item's own.
	Line int
	// Index counts the documents of the file from 0. It is what a Change names.
	Index int
	// Content is the object: map[string]any, []any, string, bool, int64, float64 and nil, as Kubernetes reads them.
	// Nothing in it is shared with another document, not even where the file uses aliases.
	Content map[string]any

	origin *source
	items  []int // where in a List: items[i], and so on when Lists hold Lists
}

// source is the text of one YAML document or one JSON object. The items of a List share one.
type source struct {
	raw    []byte
	offset int // of raw in the file
	line   int // 1-based, of raw's first byte in the file
	column int // characters before raw in that line: JSON objects can follow each other in one line
	json   bool

	parse sync.Once
	root  *yaml.Node // the object, or the List; nil when the text does not parse

	count  sync.Once
	places []place // of the lines of the tree; nil when an editor counts lines as the tree does
}

// tree parses the text on the first call. Most documents are never asked for a position, and a tree takes twenty times
// the memory of its text.
func (s *source) tree() *yaml.Node {
	s.parse.Do(func() {
		if s.json {
			s.root = jsonTree(s.raw)
			return
		}
		s.root, _ = parseYAML(s.raw)
	})
	return s.root
}

// place is where a node is in the file, in lines and characters as an editor counts them.
func (s *source) place(n *yaml.Node) (line, column int) {
	s.count.Do(func() {
		if hasUnicodeBreaks(s.raw) {
			s.places = editorPlaces(s.raw)
		}
	})
	line, column = n.Line, n.Column
	if line <= len(s.places) {
		at := s.places[line-1]
		line, column = at.line, at.column+column-1
	}
	if line == 1 {
		column += s.column
	}
	return s.line + line - 1, column
}

// object is the node of the object at the given place in a List, or root itself.
func object(root *yaml.Node, items []int) *yaml.Node {
	n := root
	for _, i := range items {
		_, list := entry(dealias(n), "items")
		if list = dealias(list); list == nil || list.Kind != yaml.SequenceNode || i >= len(list.Content) {
			return nil
		}
		n = list.Content[i]
	}
	return n
}

func dealias(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// entry is the key and the value of a mapping's own entry; of repeated keys the last, which is the one that counts.
func entry(n *yaml.Node, name string) (k, v *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := len(n.Content) - 2; i >= 0; i -= 2 {
		if s, err := key(n.Content[i]); err == nil && s == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}
