package checks

import (
	"fmt"
	"maps"
	"reflect"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// A policy that Waywarden wrote, so that what people wrote goes on to hold behind a waypoint, is deleted or changed by somebody. It is
// written again at once, and until every proxy knows that, calls get in that somebody's policy keeps out, or are kept out that it lets in.
// What it has to be is asked of the mesh (plan.StandsFor), so that one that nothing asks for any more may go, whoever deletes it.
//
// Where the mesh does not tell, as whether connections through a waypoint are open still, or whom a Guardrail lets past a guard, whoever
// looks at that may do it: Waywarden itself. The same goes for changes, because one that follows a change of somebody's policy may come
// before that is known here.
var _ = policies.Register(policies.Check{
	ID:       "change/stand-in",
	Title:    "A policy that stands in for others behind a waypoint goes or changes",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy, mesh.RequestAuthentication},
	Controls: evidenceFor(authorization(), changeControl()),
	Doc: `Behind a waypoint, ztunnel sees the waypoint in place of the client, and the waypoint ignores policies without targetRefs. So Waywarden
writes policies of its own: what others say of clients is repeated at the waypoint, the waypoint is let in at ztunnel, what names a Gateway is said
at the one that has taken its place, and a guard keeps out who goes round. Without one of them the policies for which it stands do less than they
say, or deny more, until it is there again.`,
	Remedy: "Leave it to Waywarden, which takes it away when nothing asks for it: change the policies for which it stands, or what is bound to the waypoint.",
	Change: func(p *policies.ChangePass) {
		if p.Old == nil {
			return
		}
		st, ok := plan.StandsFor(p.Before, p.Old)
		switch {
		case !ok:
			return
		case p.New != nil && (p.After.Occasion.Own || plan.Marked(p.New) && st.Keeps(p.Old, p.New)):
			return
		case p.New == nil && p.After.Occasion.Own && !st.Sure:
			return
		}
		verdict, severity, message := withoutStandIn(st, p.New != nil)
		p.Report(policies.Finding{Verdict: verdict, Severity: severity, Field: changedPart(p.Change), Related: refsOf(st.Of), Message: message})
	},
})

// changedPart is which part of a policy is changed; "" for one that goes.
func changedPart(c *policies.Change) string {
	switch {
	case c.New == nil:
		return ""
	case !maps.Equal(c.Old.Labels, c.New.Labels):
		return "metadata.labels"
	case !maps.Equal(c.Old.Annotations, c.New.Annotations) && reflect.DeepEqual(c.Old.Spec, c.New.Spec):
		return "metadata.annotations"
	}
	return "spec"
}

// withoutStandIn says what becomes of the policies for which one of ours stands, when that goes, or says something else.
func withoutStandIn(st plan.Standing, changed bool) (policies.Verdict, policies.Severity, string) {
	of := enumerate(st.Of)
	this := "this"
	if changed {
		this = "this, which would say something else"
	}
	switch {
	case st.Open && st.Role == plan.Admission:
		return policies.OverDenies, policies.High, fmt.Sprintf("connections to %s that are open through %s may be cut: %s keeps the waypoint out at ztunnel, where it is let in by %s.", st.On, st.Waypoint, of, this)
	case st.Open:
		return policies.NotEnforced, policies.High, fmt.Sprintf("connections to %s that are open through %s may no longer be held to %s: what it says of clients is said there by %s.", st.On, st.Waypoint, of, this)
	case st.Role == plan.Admission:
		return policies.OverDenies, policies.High, fmt.Sprintf("whoever calls %s may be shut out by %s: ztunnel sees %s in place of the client, and lets it in by %s.", st.On, of, st.Waypoint, this)
	case st.Role == plan.Copy:
		return policies.NotEnforced, policies.Critical, fmt.Sprintf("%s may do less or more than it says: it names a Gateway whose place %s has taken, and is said there by %s.", of, st.Waypoint, this)
	case st.Role == plan.Guarding && st.Held:
		return policies.Pending, policies.High, fmt.Sprintf("calls to %s may pass before %s is in force: it is kept closed until its waypoint serves, by %s.", st.On, of, this)
	case st.Role == plan.Guarding:
		return policies.Bypassable, policies.Critical, fmt.Sprintf("%s could be got round: ztunnel lets in at %s nobody but its waypoint, by %s.", of, st.On, this)
	}
	return policies.NotEnforced, policies.Critical, fmt.Sprintf("calls to %s may no longer be held to %s: ztunnel sees %s in place of the client, and what it says of clients is said there by %s.", st.On, of, st.Waypoint, this)
}
