package audit

import (
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/mesh"
)

// knowing is the Snapshot to judge: this one, or while it does not know what there is the last one that did. nil where there
// was none. While a kind cannot be read without which "it is not there" would be a guess, every answer would be Unknown: all that
// was found would pass for resolved, and be new once the kind can be read again.
//
// A Snapshot of a cluster that has no Namespace is one of those (inventory.Live): it says so itself, whatever has become
// readable since.
func (c *Continuous) knowing(s *mesh.Snapshot) *mesh.Snapshot {
	for range s.All(mesh.Namespace) {
		if c.held {
			c.Log.Info("everything that the audit needs can be read again: it goes on")
		}
		c.hold(false)
		return s
	}
	if !c.held {
		c.Log.Info("the audit is held, what was found stands, and nothing counts as resolved: not everything can be read that answers depend on. " + c.whyUnread())
	}
	c.hold(true)
	if c.incremental == nil {
		return nil
	}
	return c.incremental.Snapshot()
}

// cannotRead takes in which kinds could not be read for a Snapshot. Those without which the others can be judged keep nobody
// waiting; what was found in their objects stands.
func (c *Continuous) cannotRead(unread []inventory.Unread) {
	now := map[string]bool{}
	for _, u := range unread {
		now[u.Kind] = true
	}
	if maps.Equal(now, c.unread) {
		return
	}
	c.unread, c.unsettled = now, true
	if len(now) > 0 {
		c.Log.Info("what was found stands in objects of kinds that cannot be read", "kinds", slices.Sorted(maps.Keys(now)))
	}
}

// everywhere are all namespaces of which anything is known, and these.
func (c *Continuous) everywhere(touched []string) []string {
	for _, p := range c.ledger.Places() {
		if !slices.Contains(touched, p.Namespace) {
			touched = append(touched, p.Namespace)
		}
	}
	return touched
}

func (c *Continuous) hold(held bool) {
	if c.held != held && c.Held != nil {
		c.Held(held)
	}
	c.held = held
}

// whyUnread is which kinds cannot be read, why, and what to do.
func (c *Continuous) whyUnread() string {
	var why []string
	if c.Unread != nil {
		for _, u := range c.Unread() {
			why = append(why, u.Resource+": "+u.Why)
		}
	}
	return strings.Join(append(why, "Allow the account of waywarden to list and watch them"), "; ") + "."
}
