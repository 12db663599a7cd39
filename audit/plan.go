package audit

import (
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
	settings, missing := plan.Rules(inv.Guardrails, inv.Profiles, s)
	p := plan.Make(policies.NewView(s), settings.OnlyShown(), nil)
	out := &report.Plan{Waypoints: p.Waypoints, Policies: p.Policies, Changes: p.Changes, Notices: p.Notices, Blocked: p.Blocked}
	for _, l := range p.Labels {
		out.Labels = append(out.Labels, report.PlannedLabel{Label: l, Location: Place(inv, l.On, "metadata.labels")})
	}
	w := writer{inv: inv, s: s, ScanResult: &report.ScanResult{}}
	w.input()
	out.Errors, out.Unread = w.Errors, w.Unread
	for name, profile := range missing {
		ref := mesh.Ref{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.GuardrailKind, Name: name}
		out.Errors = append(out.Errors, report.Error{Message: plan.WithoutProfile(profile), Object: &ref, Field: "spec.waypoints.profile", Location: Place(inv, ref, "spec.waypoints.profile")})
	}
	return out.Finish()
}
