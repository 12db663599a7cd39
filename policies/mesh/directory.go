package mesh

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// directory is the namespaces of a Snapshot by name, sorted. It is immutable. One that is made of another shares all pages but those
// that are touched: the webhook makes one for each request, and looks namespaces up a hundred times for each that it makes.
type directory struct{ pages []*page }

// page is some namespaces that follow one another; it is never empty.
type page struct {
	names  []string // shared by pages that hold the same namespaces in other states
	states []*namespace
}

// mostOnPage is how many namespaces a page holds before it becomes two.
const mostOnPage = 64

func newDirectory(namespaces map[string]*namespace) directory {
	var d directory
	for names := range slices.Chunk(slices.Sorted(maps.Keys(namespaces)), mostOnPage/2) { // half full, so that most that come find room
		p := &page{names: make([]string, len(names)), states: make([]*namespace, len(names))}
		for i, name := range names {
			p.names[i], p.states[i] = strings.Clone(name), namespaces[name] // the name may be a part of what was read
		}
		d.pages = append(d.pages, p)
	}
	return d
}

// place is the page on which a name is, or would be, and where on it. In a directory without pages there is no place.
func (d directory) place(name string) (at, i int, found bool) {
	low, high := 0, len(d.pages)
	for low < high { // the first page that begins after name
		if middle := int(uint(low+high) >> 1); d.pages[middle].names[0] <= name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	at = max(0, low-1)
	i, found = slices.BinarySearch(d.pages[at].names, name)
	return at, i, found
}

// get is nil where there is no such namespace.
func (d directory) get(name string) *namespace {
	if len(d.pages) == 0 {
		return nil
	}
	if at, i, found := d.place(name); found {
		return d.pages[at].states[i]
	}
	return nil
}

// with is the directory with namespaces in other states; those that are nil are not in it.
func (d directory) with(changed map[string]*namespace) directory {
	pages := slices.Clone(d.pages)
	if len(changed) == 1 { // without a list to sort
		for name, now := range changed {
			pages = changePage(pages, name, now)
		}
		return directory{pages}
	}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		pages = changePage(pages, name, changed[name])
	}
	return directory{pages}
}

// changePage writes to pages, and to no page.
func changePage(pages []*page, name string, now *namespace) []*page {
	if len(pages) == 0 {
		if now == nil {
			return nil
		}
		return []*page{{[]string{strings.Clone(name)}, []*namespace{now}}}
	}
	at, i, found := directory{pages}.place(name)
	p := pages[at]
	switch {
	case found && now != nil:
		states := slices.Clone(p.states)
		states[i] = now
		pages[at] = &page{p.names, states}
	case found && len(p.names) == 1:
		return slices.Delete(pages, at, at+1)
	case found:
		pages[at] = &page{slices.Concat(p.names[:i], p.names[i+1:]), slices.Concat(p.states[:i], p.states[i+1:])}
		return joined(joined(pages, at), at-1)
	case now != nil:
		names := slices.Concat(p.names[:i], []string{strings.Clone(name)}, p.names[i:])
		states := slices.Concat(p.states[:i], []*namespace{now}, p.states[i:])
		if half := len(names) / 2; len(names) > mostOnPage {
			pages[at] = &page{slices.Clip(names[:half]), slices.Clip(states[:half])}
			return slices.Insert(pages, at+1, &page{names[half:], states[half:]})
		}
		pages[at] = &page{names, states}
	}
	return pages
}

// joined makes one of a page and the next where both have become small, so that there are never more than a few pages for what they hold.
func joined(pages []*page, at int) []*page {
	if at < 0 || at+1 >= len(pages) {
		return pages
	}
	a, b := pages[at], pages[at+1]
	if len(a.names)+len(b.names) > mostOnPage/2 {
		return pages
	}
	pages[at] = &page{slices.Concat(a.names, b.names), slices.Concat(a.states, b.states)}
	return slices.Delete(pages, at+1, at+2)
}

// all iterates by name.
func (d directory) all() iter.Seq2[string, *namespace] {
	return func(yield func(string, *namespace) bool) {
		for _, p := range d.pages {
			for i, name := range p.names {
				if !yield(name, p.states[i]) {
					return
				}
			}
		}
	}
}

// cursor goes through a directory at the pace of who asks.
type cursor struct {
	pages []*page
	i     int
}

// next is what follows; a nil namespace after the last.
func (c *cursor) next() (name string, ns *namespace) {
	for len(c.pages) > 0 && c.i == len(c.pages[0].names) {
		c.pages, c.i = c.pages[1:], 0
	}
	if len(c.pages) == 0 {
		return "", nil
	}
	c.i++
	return c.pages[0].names[c.i-1], c.pages[0].states[c.i-1]
}
