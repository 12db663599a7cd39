package audit

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
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
	var now []report.Unread
	for _, u := range unread {
		now = append(now, report.Unread(u))
	}
	if slices.Equal(now, c.unread) {
		return
	}
	if len(now) > 0 {
		c.Log.Info("what was found stands in objects of kinds that cannot be read", "kinds", slices.Sorted(maps.Keys(kindsOf(now))))
	}
	c.unread, c.unsettled = now, true
}

// foundBeside is what is found beside the checks. While that is not all, what they found before stands.
func (c *Continuous) foundBeside() []policies.Finding {
	if c.Beside.Findings == nil {
		return nil
	}
	found, all := c.Beside.Findings()
	unasked := map[string]bool{}
	if !all {
		for _, id := range c.Beside.Checks {
			unasked[id] = true
		}
	}
	if !maps.Equal(c.unasked, unasked) {
		c.unasked, c.unsettled = unasked, true
	}
	return found
}

// gone is whether nothing has to be known of a namespace any more.
func (c *Continuous) gone(p *ledger.Place) bool {
	return p.Namespace != "" && c.places.rules != nil && c.places.of[p.Namespace] == nil && !c.stands(p)
}

// stands is whether something was found in a namespace that is still there, of which nobody can tell now whether it is too.
func (c *Continuous) stands(p *ledger.Place) bool {
	return len(p.Open)+len(p.Unlisted) > 0 && c.incremental.Snapshot().Known(p.Namespace)
}

func kindsOf(unread []report.Unread) map[string]bool {
	out := map[string]bool{}
	for _, u := range unread {
		out[u.Kind] = true
	}
	return out
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

// hold notes whether the audit is held, and has every report say so.
func (c *Continuous) hold(held bool) {
	if c.held == held {
		return
	}
	c.held = held
	if c.Held != nil {
		c.Held(held)
	}
	for ns := range c.reported() {
		c.pending[ns] = time.Time{}
	}
}

// reported are the places that may have a report, by name. That the audit is held is said for what lies in no namespace also where
// nothing is known yet, as on a new install: else nobody would be told.
func (c *Continuous) reported() map[string]*ledger.Place {
	out := map[string]*ledger.Place{}
	if c.held {
		out[""] = &ledger.Place{}
	}
	for _, p := range c.ledger.Places() {
		out[p.Namespace] = p
	}
	return out
}

// whyUnread is which kinds cannot be read, why, and what to do.
func (c *Continuous) whyUnread() string {
	var why []string
	for _, u := range c.unread {
		why = append(why, u.Resource+": "+u.Why)
	}
	return strings.Join(append(why, "Allow the account of waywarden to list and watch them"), "; ") + "."
}
