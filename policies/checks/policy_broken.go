package checks

import (
	"fmt"
	"maps"
	"reflect"
	"strings"

	"istio.io/api/annotation"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A change of something that is no policy, after which a stored policy does less than before, or denies
// what it did not: a waypoint that goes, a label that goes, a port that stops being HTTP. Nobody edits the
// policy, its status stays as it was, and istiod's webhook looks at neither.
var _ = policies.Register(policies.Check{
	ID:       "change/policy-broken",
	Title:    "A change that breaks a stored policy",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.Namespace, mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry, mesh.Gateway, mesh.GatewayClass},
	Cases:    []int{137, 138, 139, 140},
	Controls: evidenceFor(authorization(), changeControl()),
	Doc: `What a policy does depends on objects that its author does not own: the labels of the Namespace and the Service, the
ports of the Service, the waypoint's Gateway. When one of them changes or goes, the policy can stop doing what it did. It is stored as before
and its status says Accepted for a while, or for good.`,
	Remedy: "Change or remove the policy first, or leave this as it is.",
	Change: func(p *policies.ChangePass) {
		for _, r := range regressions(p.Change) {
			policy := r.After.Object
			if t := r.After.Target; p.New == nil && t.Kind == p.Old.Kind.String() && t.Namespace == p.Old.Namespace && t.Name == p.Old.Name && p.Old.Kind != mesh.Gateway {
				continue // of a Service that goes, nothing is left to guard
			}
			if saidWhereTheyWent(p.Change, r) || r.Before.Awaits() {
				continue // as little is in force before: Waywarden makes the waypoint anew, or somebody says that he wants none
			}
			p.Report(policies.Finding{
				Verdict: r.After.Verdict, Severity: broken(policy, r.After.Verdict), Field: changedField(p.Change), Related: []mesh.Ref{policy}, Namespaces: guarded(r.After),
				Message: fmt.Sprintf("%s %s at %s: %s.", mesh.Ref{Kind: policy.Kind, Namespace: policy.Namespace, Name: policy.Name}, wouldBe(r.After.Verdict), r.After.Target, causeBehind(r.After)),
			})
		}
	},
})

// regressions are what the change breaks. With a Namespace go its waypoints, which may serve others.
func regressions(c *policies.Change) []policies.Regression {
	if c.New != nil || c.Old.Kind != mesh.Namespace {
		return policies.Regressions(c.Before, c.After, c.Object())
	}
	var out []policies.Regression
	for _, gw := range c.Before.List(mesh.Gateway, c.Old.Name) {
		out = append(out, policies.Regressions(c.Before, c.After, gw)...)
	}
	return out
}

// guarded is the namespace that a broken policy was to guard.
func guarded(e policies.Effect) []string {
	if e.Target.Namespace != "" {
		return []string{e.Target.Namespace}
	}
	return []string{e.Object.Namespace}
}

// broken is how bad it is that a policy no longer does what it did: worst where it is about security and fails open.
func broken(policy mesh.Ref, v policies.Verdict) policies.Severity {
	switch policy.Kind {
	case mesh.AuthorizationPolicy.String(), mesh.PeerAuthentication.String(), mesh.RequestAuthentication.String():
		if v.FailsOpen() {
			return policies.Critical
		}
		return policies.High
	}
	return policies.Medium
}

// wouldBe says what a policy would come to, as the predicate of a sentence.
func wouldBe(v policies.Verdict) string {
	switch v {
	case policies.PartiallyEnforced:
		return "would hold only in part"
	case policies.Pending:
		return "would do nothing until its waypoint is ready"
	case policies.Bypassable:
		return "could be got round"
	case policies.OverDenies:
		return "would deny more than it says"
	case policies.DeniesAll:
		return "would admit nobody"
	}
	return "would do nothing any more"
}

// causeBehind is the cause of an effect, as a clause.
func causeBehind(e policies.Effect) string {
	if len(e.Causes) > 0 && e.Causes[0].Text != "" {
		return e.Causes[0].Text
	}
	_, cause, _ := strings.Cut(e.Message, ": ")
	cause, _, _ = strings.Cut(cause, ". ")
	return strings.TrimSuffix(cause, ".")
}

// changedField is where a change stands in its object: the label or annotation that decides, else the part; "" for an object that
// comes or goes.
func changedField(c *policies.Change) string {
	if c.Old == nil || c.New == nil {
		return ""
	}
	for _, l := range []label.Instance{label.IoIstioUseWaypoint, label.IoIstioUseWaypointNamespace, label.IoIstioDataplaneMode, label.IoIstioWaypointFor,
		label.IoIstioUseWaypointCanary, label.IoIstioUseWaypointCanaryNamespace, label.IoIstioIngressUseWaypoint, label.IoIstioRev} {
		if was, is := c.Old.Labels[l.Name], c.New.Labels[l.Name]; was != is {
			return "metadata.labels[" + l.Name + "]"
		}
	}
	if weight := annotation.IoIstioUseWaypointCanaryWeight.Name; c.Old.Annotations[weight] != c.New.Annotations[weight] {
		return "metadata.annotations[" + weight + "]"
	}
	was, ok := c.Old.Spec.(*mesh.ServiceSpec)
	is, same := c.New.Spec.(*mesh.ServiceSpec)
	switch {
	case !ok || !same:
	case !reflect.DeepEqual(was.Ports, is.Ports):
		return "spec.ports"
	case !maps.Equal(was.Selector, is.Selector):
		return "spec.selector"
	}
	if maps.Equal(c.Old.Labels, c.New.Labels) {
		return "spec"
	}
	return "metadata.labels"
}
