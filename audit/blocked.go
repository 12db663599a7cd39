package audit

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// blocked enters the needs for which no waypoint is made, where Guardrails have waypoints made: of a cluster by which files are judged, those
// that there are not without the files. In a cluster it is said by whoever makes waypoints, and knows which are ours; a scan takes all for
// somebody's, as it finds them.
func (w writer) blocked(opts *Options, before *mesh.Snapshot) {
	if !slices.ContainsFunc(opts.Checks, func(c *policies.Check) bool { return c.ID == plan.BlockedCheck }) {
		return
	}
	defer func() {
		if r := recover(); r != nil { // what else was found stands
			w.Errors = append(w.Errors, report.Error{Check: plan.BlockedCheck, Message: fmt.Sprintf("which waypoints would not be made could not be said: this is a mistake in waywarden: %v. Report it, with the objects.", r)})
		}
	}()
	found := undecided(w.inv, w.s)
	if before != nil && len(found) > 0 {
		was := map[string]bool{}
		for _, f := range undecided(opts.Before, before) {
			was[sameFinding(f)] = true
		}
		found = slices.DeleteFunc(found, func(f policies.Finding) bool { return w.inv.Document(f.Object) == nil && was[sameFinding(f)] })
	}
	w.decide(slices.DeleteFunc(found, func(f policies.Finding) bool {
		kind, ok := mesh.KindOf(f.Object.APIVersion, f.Object.Kind)
		if !ok || opts.Judge == nil {
			return !ok
		}
		o := w.s.Get(kind, f.Object.Namespace, f.Object.Name)
		return o == nil || !opts.Judge(o)
	}))
}

// undecided is what a plan by the Guardrails of an inventory finds that it does not meet.
func undecided(inv *inventory.Inventory, s *mesh.Snapshot) []policies.Finding {
	settings, _ := plan.Rules(inv.Guardrails, inv.Profiles, s)
	if !settings.Provides() {
		return nil
	}
	p := plan.Make(policies.NewView(s), settings, nil)
	return p.Findings(settings)
}

// sameFinding is what findings about the same are told apart by.
func sameFinding(f policies.Finding) string {
	return f.Check + "\x00" + f.Object.String() + "\x00" + f.Field + "\x00" + string(f.Verdict) + "\x00" + string(f.Severity)
}
