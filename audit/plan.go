package audit

import (
	"maps"
	"slices"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// Plan says which waypoints the objects of an inventory need, made as its Guardrails and WaypointProfiles say.
func Plan(inv *inventory.Inventory, options mesh.Options) *report.Plan {
	options.Unread = inv.Hidden()
	s := mesh.New(options, inv.Objects...)
	view := policies.NewView(s)
	p, missing := planned(inv, view)
	out := &report.Plan{Waypoints: p.Waypoints, Policies: p.Policies, Blocked: p.Blocked, Unplanned: plan.NotPlanned(view)}
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, report.PlannedLabel{Label: l, Location: Place(inv, l.On, "metadata.labels")})
	}
	changes, notices := p.Origins(s)
	for i, c := range p.Changes {
		out.Changes = append(out.Changes, report.PlannedChange{Change: c, From: orNull(changes[i])})
	}
	for i, n := range p.Notices {
		out.Notices = append(out.Notices, report.PlannedNotice{Notice: n, From: orNull(notices[i])})
	}
	w := writer{inv: inv, s: s, ScanResult: &report.ScanResult{}}
	w.input()
	out.Errors, out.Unread = w.Errors, w.Unread
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		ref := mesh.Ref{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.GuardrailKind, Name: name}
		out.Errors = append(out.Errors, report.Error{Message: plan.WithoutProfile(missing[name]), Object: &ref, Field: "spec.waypoints.profile", Location: Place(inv, ref, "spec.waypoints.profile")})
	}
	return out.Finish()
}

func orNull(ref mesh.Ref) *mesh.Ref {
	if ref == (mesh.Ref{}) {
		return nil
	}
	return &ref
}

// planned is the plan for a mesh, made as the Guardrails and WaypointProfiles of its inventory say, and the profile of each Guardrail, by
// its name, that is not there.
func planned(inv *inventory.Inventory, view *policies.View) (p plan.Plan, missing map[string]string) {
	settings, missing := plan.Rules(inv.Guardrails, inv.Profiles, view.Snapshot)
	return plan.Make(view, settings.OnlyShown(), nil), missing
}
