package inventory

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies/mesh"
)

// WatchStatus is how a watch is doing: for probes, metrics, and whoever reports what a Snapshot leaves unknown.
type WatchStatus struct {
	// Synced is whether everything that is served has been listed, or is known to be unreadable.
	Synced bool
	// Undiscovered is why the cluster does not say what it serves; "" where it does.
	Undiscovered string
	// Awaited are the resources that have not been listed yet, as in "gateways.gateway.networking.k8s.io".
	Awaited []string
	// Heard is when the API server last sent anything, be it only a bookmark, which it does about once a minute. Zero:
	// never.
	Heard time.Time
	// Objects counts those of the Snapshot. Kinds of which there is none are not in it.
	Objects map[mesh.Kind]int
	// Problems, Ignored and Unread are those of an Inventory.
	Problems []manifest.Problem
	Ignored  map[string]int
	Unread   []Unread
	// Stale are kinds that were read and of which no news comes at present. What was known of them stands.
	Stale []Unread
}

// hear takes down that the API server sent something.
func (m *mirror) hear() { m.heard.Store(m.now().UnixNano()) }

// Status takes the writer's lock: it is for probes and metrics, not for each request.
func (m *mirror) Status() WatchStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := WatchStatus{Synced: m.built, Undiscovered: m.discoveryError, Objects: map[mesh.Kind]int{}, Ignored: map[string]int{}, Unread: m.unread()}
	if t := m.heard.Load(); t != 0 {
		out.Heard = time.Unix(0, t)
	}
	for _, kind := range mesh.Kinds() {
		for _, s := range m.of(kind) {
			s.tell(&out)
			if n := m.shown(s); n > 0 {
				out.Objects[kind] += n
			}
		}
	}
	return out
}

// shown is how many of the objects of a source are in the Snapshot.
func (m *mirror) shown(s *source) (n int) {
	if !m.built || s.kind == mesh.Namespace && !m.whole {
		return 0
	}
	if len(s.kind.Groups()) == 1 {
		return len(s.objects)
	}
	for key, o := range s.objects {
		if m.object(s.kind, key) == o {
			n++
		}
	}
	return n
}

// tell adds what a source knows to a status.
func (s *source) tell(out *WatchStatus) {
	if !s.settled {
		out.Awaited = append(out.Awaited, resourceName(s.kind, s.Group))
	}
	if s.stale() {
		out.Stale = append(out.Stale, Unread{Kind: s.kind.String(), Resource: resourceName(s.kind, s.Group), Why: s.trouble,
			Leaves: "What has changed since is not known."})
	}
	if len(s.ignored) > 0 {
		out.Ignored[s.GroupVersion().String()+"/"+s.kind.String()] = len(s.ignored)
	}
	names := slices.SortedFunc(maps.Keys(s.problems), func(a, b name) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	for _, n := range names {
		out.Problems = append(out.Problems, s.problems[n].problems...)
	}
}
