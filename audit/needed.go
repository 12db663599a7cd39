package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// needed says who needs a waypoint, and what would be without it.
func (sub *subject) needed(s *mesh.Snapshot) {
	gw := sub.object
	if profile := gw.Annotations[plan.ProfileAnnotation]; gw.Labels[plan.ManagedByLabel] == plan.ManagedBy && profile != "" {
		sub.facts = append(sub.facts, fmt.Sprintf("It says that Waywarden made it, by WaypointProfile %s.", profile))
	}
	sub.told(s, gw)
	if since := gw.Annotations[plan.UnneededSinceAnnotation]; since != "" {
		sub.facts = append(sub.facts, fmt.Sprintf("Nothing needs it since %s, so it is about to go.", since))
	}
	if reason := gw.Annotations[plan.KeepAnnotation]; reason != "" {
		sub.facts = append(sub.facts, "It is kept, whoever needs it: "+reason)
	}
	sub.moving(gw)
	kept := keptFor(s, gw)
	sub.facts = append(sub.facts, kept...)
	lost := policies.Regressions(policies.NewView(s), policies.NewView(s.Without(gw)), gw)
	if len(lost) == 0 {
		sub.facts = append(sub.facts, "No policy needs it: without it each is as much in force as with it.")
	}
	for _, r := range lost {
		who := r.Before.Object.String()
		kind, _ := mesh.KindOf(r.Before.Object.APIVersion, r.Before.Object.Kind)
		if o := s.Get(kind, r.Before.Object.Namespace, r.Before.Object.Name); o != nil && o.Annotations[plan.RoleAnnotation] == string(plan.Copy) {
			who = fmt.Sprintf("%s %s, by its copy %s,", o.Kind, o.Annotations[plan.OfAnnotation], o.Name)
		}
		without := fmt.Sprintf(". Without it %s.", consequence(r.After))
		if r.Before.Verdict == policies.Pending {
			without = ", and does nothing until it serves."
		}
		sub.facts = append(sub.facts, fmt.Sprintf("%s needs it, for %s%s", who, r.Before.Target, without))
	}
	sub.facts = append(sub.facts, knownBy(s, gw)...)
}

// consequence is what an effect comes to, without why and what to do: that is of a mesh that is only supposed.
func consequence(e policies.Effect) string {
	text, _, _ := strings.Cut(e.Message, ": ")
	return strings.TrimSuffix(text, ".")
}

// told is what the controller says of a waypoint that is not as it is to be: what it waits for or what stops it, since when, and what is to
// be bound to it.
func (sub *subject) told(s *mesh.Snapshot, gw *mesh.Object) {
	if s.Unprovided() {
		if mesh.ConditionOf(gw, mesh.AsPlannedCondition) != nil {
			sub.facts = append(sub.facts, "What Waywarden says on it, of how it is and what it is for, is left over: no waypoints are made now.")
		}
		return
	}
	if c := mesh.ConditionOf(gw, mesh.AsPlannedCondition); c != nil && c.Status == "False" && c.Message != "" {
		sub.facts = append(sub.facts, fmt.Sprintf("It is not as planned since %s (%s): %s", c.Since, c.Reason, sentence(c.Message)))
	}
	if c := mesh.ConditionOf(gw, mesh.AwaitedCondition); c != nil && c.Status == "True" && s.Awaits(gw) {
		sub.facts = append(sub.facts, "Nothing is sent to it yet from what Waywarden labels when it is ready: "+sentence(c.Message))
	}
}

func sentence(text string) string { return strings.TrimSuffix(text, ".") + "." }

// keptFor are people's reasons for a waypoint, on what it serves.
func keptFor(s *mesh.Snapshot, gw *mesh.Object) []string {
	var out []string
	seen := map[*mesh.Object]bool{}
	for _, svc := range s.BoundTo(gw) {
		for _, o := range []*mesh.Object{svc, s.Get(mesh.Namespace, "", svc.Namespace)} {
			if o != nil && !seen[o] && o.Annotations[plan.KeepAnnotation] != "" {
				seen[o] = true
				out = append(out, fmt.Sprintf("%s keeps it: %s", o, o.Annotations[plan.KeepAnnotation]))
			}
		}
	}
	return out
}

// knownBy is what policies at ztunnel would do without a waypoint that they name: calls that do not come by it are judged by who makes
// them.
func knownBy(s *mesh.Snapshot, gw *mesh.Object) []string {
	identity, spaces := s.Identity(gw), map[string]bool{s.RootNamespace(): true}
	for _, svc := range s.BoundTo(gw) {
		spaces[svc.Namespace] = true
	}
	var out []string
	for _, ns := range slices.Sorted(maps.Keys(spaces)) {
		for _, o := range s.List(mesh.AuthorizationPolicy, ns) {
			spec := o.Spec.(*mesh.AuthorizationPolicySpec)
			if len(spec.Attachment().Refs()) > 0 {
				continue
			}
			lets, spares := meansIdentity(spec, identity)
			switch {
			case spares && spec.Action == policies.Deny:
				out = append(out, fmt.Sprintf("%s spares it. Without it calls get to the pods from clients, and those are denied whom it does not spare.", o))
			case lets && spec.Action != policies.Deny:
				out = append(out, fmt.Sprintf("%s lets it in. Without it calls get to the pods from clients, and only those get in whom an ALLOW there names.", o))
			}
		}
	}
	return out
}

// meansIdentity is whether rules name an identity among whom they mean, and among whom they do not.
func meansIdentity(spec *mesh.AuthorizationPolicySpec, identity string) (among, except bool) {
	for i := range spec.Rules {
		for j := range spec.Rules[i].From {
			source := &spec.Rules[i].From[j].Source
			among = among || slices.Contains(source.Principals, identity)
			except = except || slices.Contains(source.NotPrincipals, identity)
		}
	}
	return among, except
}

// moving says who is to take the place of a waypoint, and whose it has taken.
func (sub *subject) moving(gw *mesh.Object) {
	if to := gw.Annotations[plan.MigrateAnnotation]; to != "" {
		how := "at once"
		if steps := gw.Annotations[plan.StepsAnnotation]; steps != "" {
			how = "by steps, " + steps
		}
		sub.facts = append(sub.facts, fmt.Sprintf("Gateway %s is to take its place, %s: what our labels bind to it moves there, and then it goes if Waywarden made it. Without annotation %s it all comes back.", to, how, plan.MigrateAnnotation))
	}
	if of := gw.Annotations[plan.PlaceAnnotation]; of != "" {
		sub.facts = append(sub.facts, fmt.Sprintf("It has the place of %s: AuthorizationPolicies and RequestAuthentications that name one of those are repeated here.", of))
	}
}

// boundSays is how a Service or ServiceEntry sends to a waypoint.
func boundSays(s *mesh.Snapshot, gw, svc *mesh.Object) string {
	canary := s.Canary(svc)
	switch {
	case canary.Attached && canary.Gateway == gw:
		return fmt.Sprintf("%d%% of the connections of %s take it: it is its canary.", canary.Weight, svc)
	case canary.Attached:
		return fmt.Sprintf("%s is bound to it; %d%% of its connections take its canary %s.", svc, canary.Weight, canary.Gateway.Key())
	}
	return fmt.Sprintf("%s is bound to it.", svc)
}
