package mesh

import (
	"iter"
	"strings"
)

// Changes are the objects in which two Snapshots differ, by namespace, kind and name: what was there, nil for
// what is new, and what is there, nil for what is gone. An object is the same if it is the same pointer. Where
// one Snapshot was made from the other by With and Without it costs the namespaces that they touched, and a
// glance at each other one. Nil is the empty Snapshot.
func Changes(before, after *Snapshot) iter.Seq2[*Object, *Object] {
	return func(yield func(was, is *Object) bool) {
		names, next := walk(before)
		now, nextNow := walk(after)
		for names != nil || now != nil {
			c := 0
			switch {
			case names == nil:
				c = 1
			case now == nil:
				c = -1
			default:
				c = strings.Compare(names.name, now.name)
			}
			was, is := nowhere, nowhere
			if c <= 0 {
				was = names.namespace
				names = next()
			}
			if c >= 0 {
				is = now.namespace
				now = nextNow()
			}
			if was != is && !changesIn(was, is, yield) {
				return
			}
		}
	}
}

// named is a namespace with its name.
type named struct {
	name      string
	namespace *namespace
}

// walk goes through the namespaces of a Snapshot by name; nil is the end.
func walk(s *Snapshot) (first *named, next func() *named) {
	if s == nil {
		return nil, nil
	}
	at := cursor{pages: s.namespaces.pages}
	next = func() *named {
		name, ns := at.next()
		if ns == nil {
			return nil
		}
		return &named{name, ns}
	}
	return next(), next
}

func changesIn(was, is *namespace, yield func(was, is *Object) bool) bool {
	for kind := range kindCount {
		a, b := was.objects.of(kind), is.objects.of(kind)
		if len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) {
			continue // not even copied
		}
		for len(a) > 0 || len(b) > 0 {
			var from, to *Object
			if len(b) == 0 || len(a) > 0 && a[0].Name <= b[0].Name {
				from = a[0]
			}
			if len(a) == 0 || len(b) > 0 && b[0].Name <= a[0].Name {
				to = b[0]
			}
			if from != nil {
				a = a[1:]
			}
			if to != nil {
				b = b[1:]
			}
			if from != to && !yield(from, to) {
				return false
			}
		}
	}
	return true
}
