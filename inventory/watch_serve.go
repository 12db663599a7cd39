package inventory

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/policies/mesh"
)

// serve is told what the cluster serves. It returns the sources that are to be followed from now on; those that are not
// any more it stops, and evidence that nobody asks for any more.
//
// Discovery alone drops nothing: while an API server starts, kinds are missing from it whose objects are there. A kind is
// dropped when its own list was answered with 404 as well. A kind that is served in another version from now on keeps what
// is known of it until it has been listed in that version. Of one that comes to be served nothing is known until it is listed: see unheard.
func (m *mirror) serve(now served) []*source {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.discovered, m.discoveryError, m.passed = true, "", now.passed
	var follow []*source
	wanted := map[sourceKey]bool{}
	for _, r := range now.resources {
		wanted[r.key()] = true
		old := m.sources[r.key()]
		if old != nil && old.resource == r && !old.missing {
			continue
		}
		next := newSource(r)
		if old != nil {
			old.end()
			if old.resource == r {
				next.revived, next.again = true, old.revived
				old.clearFor(m)
			}
			next.objects, next.ignored, next.problems, next.settled, next.unread = old.objects, old.ignored, old.problems, old.settled, old.unread
			next.marks = old.marks
		}
		m.sources[r.key()] = next
		follow = append(follow, next)
	}
	for key, s := range m.sources {
		if !wanted[key] && (s.missing || slices.Contains(m.passed, s.kind)) {
			s.end()
			s.clearFor(m)
			delete(m.sources, key)
		}
	}
	m.silent = slices.DeleteFunc(slices.Clone(now.unread), func(u Unread) bool {
		return m.watched(u)
	})
	m.settle(mesh.Namespace)
	return follow
}

// discoveryFailed is told that the cluster does not say what it serves.
func (m *mirror) discoveryFailed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.discoveryError = err.Error()
}

// watched is whether a kind whose API group does not answer discovery is watched all the same: then its own answers
// count.
func (m *mirror) watched(u Unread) bool {
	for _, s := range m.sources {
		if resourceName(s.kind, s.Group) == u.Resource {
			return true
		}
	}
	return false
}

// end stops a source: nothing that it is told from now on counts.
func (s *source) end() {
	s.stopped = true
	s.stop()
}

// clearFor forgets what is known of a source, and tells the Snapshot.
func (s *source) clearFor(m *mirror) { m.advance(s.kind, s.clear()...) }

// of are the sources of a kind, those first that count first.
func (m *mirror) of(kind mesh.Kind) []*source {
	var out []*source
	for _, group := range kind.Groups() {
		gr := schema.GroupResource{Group: group, Resource: kind.Resource()}
		if kind == mesh.Secret { // each by itself
			for key, s := range m.sources {
				if key.GroupResource == gr {
					out = append(out, s)
				}
			}
			slices.SortFunc(out, func(a, b *source) int { return strings.Compare(a.only.String(), b.only.String()) })
			continue
		}
		if s := m.sources[sourceKey{gr, name{}}]; s != nil {
			out = append(out, s)
		}
	}
	return out
}
