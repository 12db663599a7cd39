package audit

import (
	"strings"

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
		c.Log.Info("the audit is held, what was found stands, and nothing counts as resolved: not everything can be read that answers depend on. " + c.unread())
	}
	c.hold(true)
	if c.incremental == nil {
		return nil
	}
	return c.incremental.Snapshot()
}

func (c *Continuous) hold(held bool) {
	if c.held != held && c.Held != nil {
		c.Held(held)
	}
	c.held = held
}

// unread is which kinds cannot be read, why, and what to do.
func (c *Continuous) unread() string {
	var why []string
	if c.Unread != nil {
		for _, u := range c.Unread() {
			why = append(why, u.Resource+": "+u.Why)
		}
	}
	return strings.Join(append(why, "Allow the account of waywarden to list and watch them"), "; ") + "."
}
