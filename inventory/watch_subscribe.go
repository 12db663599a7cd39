package inventory

import (
	"context"
	"iter"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Subscription tells one consumer how the mesh changes. A consumer that is slow holds nobody up and misses nothing: what
// happened while it was busy comes as one Change. So it sees states, not events: what was made and deleted meanwhile it
// never sees. Next is for one goroutine at a time.
type Subscription struct {
	mirror *mirror
	wake   chan struct{}
	seen   *mesh.Snapshot
	unread []Unread // when that was seen
}

// Change is a step from one Snapshot to a later one, or in what can be read: a kind that can be read again and of which there is
// nothing makes no other Snapshot, and says of whoever was there before that he is gone.
type Change struct {
	Before *mesh.Snapshot // nil in the first Change of a Subscription; After itself where only Unread is another one
	After  *mesh.Snapshot
	// Unread are the kinds that could not be read when After was made: that it holds none of their objects says nothing.
	Unread []Unread
}

// Objects are those in which the two differ, by namespace, kind and name: what was there, nil for what is new, and what
// is there, nil for what is gone. In the first Change all are new. It costs the namespaces that were touched.
func (c Change) Objects() iter.Seq2[*mesh.Object, *mesh.Object] {
	return mesh.Changes(c.Before, c.After)
}

// Subscribe begins with nothing seen: the first Change comes with the first whole Snapshot, at once where there is one.
// Close it when it is no longer read.
func (m *mirror) Subscribe() *Subscription {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &Subscription{mirror: m, wake: make(chan struct{}, 1)}
	m.subscriptions[s] = struct{}{}
	return s
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.mirror.mu.Lock()
	defer s.mirror.mu.Unlock()
	delete(s.mirror.subscriptions, s)
}

// Next waits until the mesh, or what of it can be read, is no longer what was seen last, and is the whole step from there to now.
// The error is that of ctx.
func (s *Subscription) Next(ctx context.Context) (Change, error) {
	select {
	case <-s.mirror.synced:
	case <-ctx.Done():
		return Change{}, ctx.Err()
	}
	for {
		c := Change{Before: s.seen}
		if c.After, c.Unread = s.mirror.current(); c.After != s.seen || !slices.Equal(c.Unread, s.unread) {
			s.seen, s.unread = c.After, c.Unread
			return c, nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return Change{}, ctx.Err()
		}
	}
}

// current is the Snapshot and what could not be read for it. Both change with mu held.
func (m *mirror) current() (*mesh.Snapshot, []Unread) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.snapshot.Load(), m.unread()
}

// notify never waits: one wake-up that nobody has answered is as good as two.
func (s *Subscription) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
