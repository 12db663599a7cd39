package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Position is where a field is written, as a 1-based line and column: of the key for an entry of a mapping, of the item
// for an item of a sequence. A field is written as in messages: "spec.rules[0].to[0].operation.methods". A key that has
// dots may stand in brackets or not: "metadata.labels[istio.io/use-waypoint]", "metadata.labels.istio.io/use-waypoint".
//
// A field that the document does not have is where its nearest existing ancestor is, finally where the document begins.
// A field that comes from an alias or a merge key is where it is written, at the anchor.
func (d *Document) Position(field string) (line, column int) {
	if d.origin == nil { // a Document that was not made by Load
		return max(d.Line, 1), 1
	}
	n := object(d.origin.tree(), d.items)
	if n == nil {
		return d.Line, 1
	}
	at, _ := find(n, field)
	return d.origin.place(at)
}

// find follows field from n as far as it goes and returns the node to point at, and the value there; nil where field goes on.
func find(n *yaml.Node, field string) (at, value *yaml.Node) {
	at, next := n, n
	for field != "" && next != nil {
		var found *yaml.Node
		switch n := dealias(next); n.Kind {
		case yaml.MappingNode:
			found, next, field = findKey(n, field, 0)
		case yaml.SequenceNode:
			found, field = findItem(n, field)
			next = found
		}
		if found == nil {
			break
		}
		at = found
	}
	if field != "" {
		next = nil
	}
	return at, next
}

// findKey finds the entry whose key field begins with; the longest such key, since keys may contain dots. rest is what
// follows the key.
func findKey(n *yaml.Node, field string, merges int) (k, v *yaml.Node, rest string) {
	longest := -1
	for i := 0; i+1 < len(n.Content); i += 2 {
		after, ok := cutKey(field, n.Content[i].Value)
		if name, err := key(n.Content[i]); !ok && err == nil {
			after, ok = cutKey(field, name) // `y` is the key "true"
		}
		if ok && len(field)-len(after) >= longest {
			longest = len(field) - len(after)
			k, v, rest = n.Content[i], n.Content[i+1], after
		}
	}
	if k != nil || merges > maxDepth {
		return k, v, rest
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !isMergeKey(n.Content[i]) {
			continue
		}
		from := []*yaml.Node{dealias(n.Content[i+1])}
		if from[0].Kind == yaml.SequenceNode {
			from = from[0].Content
		}
		for _, m := range from {
			if k, v, rest = findKey(dealias(m), field, merges+1); k != nil {
				return k, v, rest
			}
		}
	}
	return nil, nil, field
}

// cutKey removes key from the beginning of field, as `.key`, `key`, `[key]` or `["key"]`.
func cutKey(field, key string) (rest string, ok bool) {
	if key == "" {
		return field, false
	}
	if rest, ok := strings.CutPrefix(field, "["); ok {
		quote := ""
		if strings.HasPrefix(rest, `"`) || strings.HasPrefix(rest, "'") {
			quote = rest[:1]
		}
		return strings.CutPrefix(rest, quote+key+quote+"]")
	}
	rest, ok = strings.CutPrefix(strings.TrimPrefix(field, "."), key)
	return rest, ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// findItem finds the item whose index field begins with, as `[0]` or `.0`.
func findItem(n *yaml.Node, field string) (item *yaml.Node, rest string) {
	var index string
	if after, ok := strings.CutPrefix(field, "["); ok {
		if index, rest, ok = strings.Cut(after, "]"); !ok {
			return nil, field
		}
	} else {
		index = strings.TrimPrefix(field, ".")
		rest = strings.TrimLeft(index, "0123456789")
		index = index[:len(index)-len(rest)]
	}
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(n.Content) {
		return nil, field
	}
	return n.Content[i], rest
}
