package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// Op is one operation of RFC 6902: add, remove, replace, move, copy or test.
type Op struct {
	// Op is the operation's name.
	Op string `json:"op"`
	// Path is an RFC 6901 pointer from the object's root; in an item of a List, from the item's. Indices count from the
	// front, "-" is the end.
	Path string `json:"path"`
	// From is where move and copy take the value.
	From string `json:"from,omitempty"`
	// Value is anything that encoding/json can write. nil is null.
	Value any `json:"value"`
}

// Change is what is to be done to one document of a file.
type Change struct {
	// Document is the Index of the Document.
	Document int
	// Ops are applied in order, all or none.
	Ops []Op

	// text is what the file said when the document was loaded, nil when that is not known.
	text []byte
}

// Change returns a Change of d that Edit refuses when the file says something else by then.
func (d *Document) Change(ops ...Op) Change {
	c := Change{Document: d.Index, Ops: ops}
	if d.origin != nil {
		c.text = d.origin.raw
	}
	return c
}

// Edit applies operations to documents of a file and returns the file's new bytes: comments, key order, indentation and
// line ends of everything else are unchanged, byte for byte. A removed entry takes the comments attached to it along:
// those on its line, inside it, and directly above it. Operations that change nothing return the file as it is, so that
// a file can be edited again with the same "replace", or "add" of a key.
//
// What an alias or a merge key brings is written out where it is changed. A change at the anchor itself, which would
// change every alias, is the one thing that cannot be made in place: that document is written anew without its anchors,
// with its comments and its order, but not its layout.
//
// Several changes may name the same document; they are applied in the order given. An error means that nothing was
// done: an operation does not apply (as RFC 6902 says: no such parent, index or value, a test that fails), a key of the
// document is repeated, or no text was found that reads back as RFC 6902 demands.
func Edit(file []byte, edits ...Change) ([]byte, error) {
	edits = slices.DeleteFunc(slices.Clone(edits), func(c Change) bool { return len(c.Ops) == 0 })
	if len(edits) == 0 {
		return bytes.Clone(file), nil
	}
	documents := documentsOf(file)
	changes := map[*source][]objectChange{}
	var sources []*source
	for _, c := range edits {
		if c.Document < 0 || c.Document >= len(documents) {
			return nil, fmt.Errorf("nothing was changed: the file has %d documents, none with index %d. Load it again",
				len(documents), c.Document)
		}
		d := documents[c.Document]
		if c.text != nil && !bytes.Equal(c.text, d.origin.raw) {
			return nil, fmt.Errorf("nothing was changed: document %d on line %d is not what it was when it was loaded. Load it again",
				c.Document, d.Line)
		}
		if changes[d.origin] == nil {
			sources = append(sources, d.origin)
		}
		changes[d.origin] = append(changes[d.origin], objectChange{d, c.Ops})
	}
	slices.SortFunc(sources, func(a, b *source) int { return a.offset - b.offset })

	lineBreak := lineBreakOf(file)
	var out []byte
	at := 0
	for _, s := range sources {
		edited, err := editSource(s, changes[s], lineBreak)
		if err != nil {
			return nil, err
		}
		out = append(append(out, file[at:s.offset]...), edited...)
		at = s.offset + len(s.raw)
	}
	return append(out, file[at:]...), nil
}

// documentsOf are the documents of a file, as Load numbers them.
func documentsOf(raw []byte) []*Document {
	f := file{input: input{named: true}, texts: split(raw)}
	f.decoded = make([]decoded, len(f.texts))
	inParallel(len(f.texts), func(i int) { f.decoded[i] = decodeText("", f.texts[i], &f.aliased) })
	documents, _, _ := f.collect()
	return documents
}

// lineBreakOf is the file's own: CRLF when its first line ends so.
func lineBreakOf(file []byte) string {
	if i := bytes.IndexByte(file, '\n'); i > 0 && file[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// objectChange is a Change whose document was found.
type objectChange struct {
	document *Document
	ops      []Op
}

// editSource edits one text. Text edits come first; when they do not lead to what is expected, the document is written
// anew from its syntax tree, which keeps its comments but not its layout; when that does not either, it is an error.
func editSource(s *source, changes []objectChange, lineBreak string) ([]byte, error) {
	root := s.tree()
	before, repeated, err := contentOf(root)
	if err != nil || len(repeated) > 0 {
		return nil, refuse(changes[0], errors.New("one of its keys occurs more than once in a mapping. Keep one"))
	}
	tree := &live{origin: root, kind: root.Kind}
	want, _, _ := contentOf(root)
	for _, c := range changes {
		at := tree.object(c.document.items)
		for i, op := range c.ops {
			if err := at.apply(op); err != nil {
				return nil, refuse(c, fmt.Errorf("operation %d, %s %s: %w", i+1, op.Op, op.Path, err))
			}
		}
		if want, err = expect(want, c.document.items, c.ops); err != nil {
			return nil, refuse(c, err)
		}
	}
	if equal(before, want) {
		return s.raw, nil
	}
	if edited, ok := rewrite(s, tree, lineBreak, want); ok {
		return edited, nil
	}
	if edited, ok := reencode(s, tree, lineBreak); ok && reads(s, edited, want) {
		return edited, nil
	}
	return nil, refuse(changes[0], errors.New("no text was found that reads back as what the operations demand, perhaps because of its "+
		"anchors, tags or merge keys. Edit it by hand"))
}

func refuse(c objectChange, err error) error {
	return fmt.Errorf("nothing was changed: document %d on line %d: %w", c.document.Index, c.document.Line, err)
}

// reads reports whether a new text is one document that says what is wanted, when it is read as Load reads it.
func reads(s *source, edited []byte, want any) bool {
	if len(split(edited)) != 1 {
		return false
	}
	if start := jsonStart(edited); start >= 0 {
		if values, err := decodeJSON(edited, start); err == nil {
			return len(values) == 1 && equal(values[0].content, want) && !repeatsKeys(edited[start:], values[0].content)
		}
	}
	root, err := parseYAML(edited)
	if err != nil || root == nil || s.json {
		return false
	}
	content, repeated, err := contentOf(root)
	return err == nil && len(repeated) == 0 && equal(content, want)
}

// contentOf decodes a tree with bounds of its own.
func contentOf(root *yaml.Node) (any, []*yaml.Node, error) {
	d := decoder{inFile: new(atomic.Int64)}
	content, err := d.root(root)
	return content, d.repeated, err
}
