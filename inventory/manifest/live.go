package manifest

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// live is a value of a document while operations are applied to it. It remembers where in the text it comes from, which
// is how an edit knows exactly which text is touched, even among equal items. Children are made when they are asked for:
// most of a document never is.
type live struct {
	origin *yaml.Node // what the text says here; nil for a value that an operation brought
	// foreign: origin is written elsewhere, at an anchor, and cannot be edited for this place alone.
	foreign bool
	// replaced: the text at origin is to be given up as a whole.
	replaced bool
	// reshaped: children were added or removed.
	reshaped bool
	// tangled: entries overlap with those of merge keys, so that entries cannot be edited one by one.
	tangled bool

	kind     yaml.Kind
	value    any // of a scalar that an operation brought
	expanded bool
	members  []*member // of a mapping, in the order of the text, new ones last
	items    []*live   // of a sequence
}

// member is an entry of a mapping.
type member struct {
	name  string
	key   *yaml.Node // nil when the entry is not written in this mapping: it is new, or comes from a merge key
	value *live
	// merged entries come from a merge key; those that hide one of a merge key show it when they are removed.
	merged, hides bool
	// note is what is said about the merge key, on the first entry that it brings.
	note string
}

// brought makes a value that is nowhere in the text.
func brought(value any) *live {
	l := &live{expanded: true}
	l.become(value)
	return l
}

// become replaces what l holds.
func (l *live) become(value any) {
	l.expanded, l.replaced = true, l.origin != nil
	l.members, l.items, l.value = nil, nil, nil
	switch v := value.(type) {
	case map[string]any:
		l.kind = yaml.MappingNode
		for _, name := range sortedKeys(v) {
			l.members = append(l.members, &member{name: name, value: brought(v[name])})
		}
	case []any:
		l.kind = yaml.SequenceNode
		for _, item := range v {
			l.items = append(l.items, brought(item))
		}
	default:
		l.kind, l.value = yaml.ScalarNode, v
	}
}

func sortedKeys(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// expand makes the children.
func (l *live) expand() {
	if l.expanded {
		return
	}
	l.expanded = true
	n, foreign := l.origin, l.foreign
	if n.Kind == yaml.AliasNode {
		n, foreign = n.Alias, true
	}
	l.kind = n.Kind
	switch n.Kind {
	case yaml.MappingNode:
		l.expandMapping(n, foreign, false, map[string]*member{})
	case yaml.SequenceNode:
		for _, item := range n.Content {
			l.items = append(l.items, fromText(item, foreign))
		}
	}
}

func fromText(n *yaml.Node, foreign bool) *live {
	return &live{origin: n, foreign: foreign, kind: dealias(n).Kind}
}

// expandMapping follows decoder.mapping, so that entries are what Content says.
func (l *live) expandMapping(n *yaml.Node, foreign, merged bool, byName map[string]*member) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if isMergeKey(k) {
			from := []*yaml.Node{v}
			if v.Kind == yaml.SequenceNode {
				from = slices.Clone(v.Content)
				slices.Reverse(from)
			}
			before := len(l.members)
			for _, m := range from {
				l.expandMapping(dealias(m), true, true, byName)
			}
			if !merged && len(l.members) > before {
				l.members[before].note = joinComments(k.HeadComment, v.LineComment)
			}
			continue
		}
		name, _ := key(k)
		m := byName[name]
		switch {
		case m == nil:
			m = &member{name: name}
			byName[name] = m
			l.members = append(l.members, m)
		case merged && m.key != nil:
			l.tangled = true // a merge key after the entry that it overrides
		case !merged && m.merged:
			m.hides = true
		}
		m.key, m.value, m.merged = k, fromText(v, foreign), merged
		if merged {
			m.key = nil
		}
	}
}

func (l *live) member(name string) *member {
	for _, m := range l.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

// object is the object at a place in a List, as in Document.items.
func (l *live) object(items []int) *live {
	for _, i := range items {
		l.expand()
		list := l.member("items").value
		list.expand()
		l = list.items[i]
	}
	return l
}

// plain is the value as it stands in Content.
func (l *live) plain() any {
	if !l.expanded {
		value, _, _ := contentOf(l.origin)
		return value
	}
	switch l.kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(l.members))
		for _, member := range l.members {
			m[member.name] = member.value.plain()
		}
		return m
	case yaml.SequenceNode:
		s := make([]any, len(l.items))
		for i, item := range l.items {
			s[i] = item.plain()
		}
		return s
	}
	if l.origin != nil && !l.replaced {
		value, _, _ := contentOf(l.origin)
		return value
	}
	return l.value
}

// changed reports whether the text no longer says what l is.
func (l *live) changed() bool {
	if l.origin == nil || l.replaced || l.reshaped {
		return true
	}
	if !l.expanded {
		return false
	}
	return slices.ContainsFunc(l.members, func(m *member) bool { return m.value.changed() }) ||
		slices.ContainsFunc(l.items, (*live).changed)
}
