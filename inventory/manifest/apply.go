package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// apply applies one operation of RFC 6902 to the object l.
func (l *live) apply(op Op) error {
	path, err := pointer(op.Path)
	if err != nil {
		return err
	}
	var value any
	switch op.Op {
	case "add", "replace", "test":
		if value, err = normal(op.Value); err != nil {
			return err
		}
	}
	switch op.Op {
	case "add":
		return l.add(path, value)
	case "replace":
		target, err := l.at(path)
		if err != nil {
			return err
		}
		return l.set(target, value)
	case "remove":
		return l.remove(path)
	case "test":
		target, err := l.at(path)
		if err != nil {
			return err
		}
		if got := target.plain(); !equal(got, value) {
			return fmt.Errorf("the test does not hold: the value is %s", jsonText(got))
		}
		return nil
	case "move", "copy":
		return l.transfer(op, path)
	}
	return fmt.Errorf("there is no such operation. Use add, remove, replace, move, copy or test")
}

func (l *live) transfer(op Op, path []string) error {
	from, err := pointer(op.From)
	if err != nil {
		return err
	}
	source, err := l.at(from)
	if err != nil {
		return err
	}
	value := source.plain()
	if op.Op == "move" {
		if op.From == op.Path {
			return nil
		}
		if strings.HasPrefix(op.Path, op.From+"/") {
			return errors.New("a value cannot be moved into itself. Copy it")
		}
		if err := l.remove(from); err != nil {
			return err
		}
	}
	return l.add(path, value)
}

// at is the value that a path names.
func (l *live) at(path []string) (*live, error) {
	for i, part := range path {
		l.expand()
		switch l.kind {
		case yaml.MappingNode:
			m := l.member(part)
			if m == nil {
				return nil, fmt.Errorf("there is no /%s", strings.Join(path[:i+1], "/"))
			}
			l = m.value
		case yaml.SequenceNode:
			n, err := itemIndex(part, len(l.items))
			if err != nil {
				return nil, err
			}
			l = l.items[n]
		default:
			return nil, fmt.Errorf("there is no /%s: its parent is a single value", strings.Join(path[:i+1], "/"))
		}
	}
	l.expand()
	return l, nil
}

// set gives target, which is l or below it, another value.
func (l *live) set(target *live, value any) error {
	if _, ok := value.(map[string]any); !ok && target == l {
		return errors.New("the whole object cannot be replaced by something that is no object")
	}
	target.reconcile(value)
	return nil
}

func (l *live) add(path []string, value any) error {
	if len(path) == 0 {
		return l.set(l, value)
	}
	parent, err := l.at(path[:len(path)-1])
	if err != nil {
		return err
	}
	last := path[len(path)-1]
	switch parent.kind {
	case yaml.MappingNode:
		if m := parent.member(last); m != nil {
			m.value.reconcile(value)
			return nil
		}
		parent.members = append(parent.members, &member{name: last, value: brought(value)})
	case yaml.SequenceNode:
		n := len(parent.items)
		if last != "-" {
			if n, err = itemIndex(last, n+1); err != nil {
				return err
			}
		}
		parent.items = slices.Insert(parent.items, n, brought(value))
	default:
		return errors.New("the parent is a single value, which holds no others")
	}
	parent.reshaped = true
	return nil
}

func (l *live) remove(path []string) error {
	if len(path) == 0 {
		return errors.New("the whole object cannot be removed. Delete it from the file")
	}
	if _, err := l.at(path); err != nil {
		return err
	}
	parent, _ := l.at(path[:len(path)-1])
	last := path[len(path)-1]
	if parent.kind == yaml.MappingNode {
		parent.drop(parent.member(last))
		return nil
	}
	n, _ := itemIndex(last, len(parent.items))
	parent.items = slices.Delete(parent.items, n, n+1)
	parent.reshaped = true
	return nil
}

func (l *live) drop(m *member) {
	l.members = slices.DeleteFunc(l.members, func(other *member) bool { return other == m })
	l.reshaped = true
	// What a merge key brings is gone only when the mapping is written without the merge key.
	l.tangled = l.tangled || m.merged || m.hides
}

// reconcile makes l equal to value and leaves alone what already is: a mapping that is replaced by one that differs in
// one entry is changed in that entry.
func (l *live) reconcile(value any) {
	l.expand()
	if equal(l.plain(), value) {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		if l.kind == yaml.MappingNode && len(l.members) > 0 {
			l.reconcileMapping(v)
			return
		}
	case []any:
		if l.kind == yaml.SequenceNode && len(l.items) > 0 {
			l.reconcileSequence(v)
			return
		}
	}
	l.become(value)
}

func (l *live) reconcileMapping(value map[string]any) {
	for _, m := range slices.Clone(l.members) {
		if v, ok := value[m.name]; ok {
			m.value.reconcile(v)
		} else {
			l.drop(m)
		}
	}
	for _, name := range sortedKeys(value) {
		if l.member(name) == nil {
			l.members = append(l.members, &member{name: name, value: brought(value[name])})
			l.reshaped = true
		}
	}
}

// reconcileSequence leaves the common beginning and the common end alone.
func (l *live) reconcileSequence(value []any) {
	first := 0
	for first < min(len(l.items), len(value)) && equal(l.items[first].plain(), value[first]) {
		first++
	}
	last := 0
	for last < min(len(l.items), len(value))-first &&
		equal(l.items[len(l.items)-1-last].plain(), value[len(value)-1-last]) {
		last++
	}
	olds, news := l.items[first:len(l.items)-last], value[first:len(value)-last]
	var middle []*live
	for i, v := range news {
		if i < len(olds) {
			olds[i].reconcile(v)
			middle = append(middle, olds[i])
		} else {
			middle = append(middle, brought(v))
		}
	}
	l.reshaped = l.reshaped || len(olds) != len(news)
	l.items = slices.Concat(l.items[:first], middle, l.items[len(l.items)-last:])
}
