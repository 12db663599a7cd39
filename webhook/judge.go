package webhook

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// leftAlone is whether a request is admitted without a look: nothing by which a mesh is judged changes, or the object is
// one that istiod makes for itself. One that is being deleted is in force until its last finalizer goes, and whoever put
// that there would have it judged never; only a Namespace is different, as it has nothing to lose any more.
func (a *Admission) leftAlone(c *change) bool {
	if deletes(c.Request) {
		return slices.Contains(carriers, c.UserInfo.Username) || a.keptByIstiod(c)
	}
	if c.Operation == admissionv1.Update && (!decides(c) && len(gains(c)) == 0 || c.new.Terminating && c.new.Kind == mesh.Namespace) {
		return true
	}
	return a.keptByIstiod(c)
}

func decides(c *change) bool { return (&policies.Change{Old: c.old, New: c.new}).Decides() }

// keptByIstiod is whether istiod itself writes a Service that it deploys for a Gateway and keeps as it wants. The label alone is
// nothing: anybody can set it, and have the next change left alone.
func (a *Admission) keptByIstiod(c *change) bool {
	o := c.object()
	if o.Kind != mesh.Service || o.Labels[label.GatewayManaged.Name] == "" {
		return false
	}
	account, ok := strings.CutPrefix(c.UserInfo.Username, "system:serviceaccount:"+a.Snapshot().RootNamespace()+":")
	return ok && (account == "istiod" || strings.HasPrefix(account, "istiod-"))
}

// carriers only carry out deletions that were decided before: a namespace that terminates must empty, and what lost its owner must go.
// The last one is all controllers, where they have no account each. Nobody else can have these names.
var carriers = []string{"system:serviceaccount:kube-system:namespace-controller", "system:serviceaccount:kube-system:generic-garbage-collector", "system:kube-controller-manager"}

// judge says what is found about a request and what is done about it.
func (a *Admission) judge(ctx context.Context, c *change) *verdict {
	before := a.Snapshot()
	v := a.evaluate(ctx, c, before)
	if !v.decision.Denied {
		return v
	}
	if again := a.confirm(ctx, c, before, v); again != nil {
		v = again
	}
	if v.decision.Denied {
		a.askToBreakGlass(ctx, c, before, v)
	}
	return v
}

// evaluate asks every check that is about the request, on the mesh as it would be.
func (a *Admission) evaluate(ctx context.Context, c *change, before *mesh.Snapshot) *verdict {
	v := &verdict{}
	kind, occasion := c.object().Kind, a.occasion(ctx, c)
	was := asStored(before, c.old)
	var after *mesh.Snapshot
	if c.new != nil {
		after = before.With(c.new)
	} else {
		after = without(was, c.old)
	}
	to := on(occasion, after)
	occasion.Old = nil
	from := on(occasion, was)
	judged := c.old == nil || c.new == nil || decides(c)
	if c.new != nil && judged {
		v.findings = ask(c.asked(kind), to, c.new)
		if c.old != nil && slices.Contains(meshKinds, kind) {
			v.findings = newly(c, from, v.findings)
		}
	}
	if checks := c.book.Catalog().OfChanges(kind); len(checks) > 0 && judged {
		changed := policies.EvaluateChange(checks, &policies.Change{Old: c.old, New: c.new, Before: from, After: to})
		v.findings = append(v.findings, withFailures(changed, to)...)
		slices.SortStableFunc(v.findings, policies.CompareFindings)
	}
	v.findings = slices.Concat(v.findings, a.movedOut(c, from, to), orphaned(c, to))
	v.decision = a.rule(c, was, after, v.findings, decide.Request{})
	return v
}

// asStored is the mesh before a change. The stored form of the object is the request's: the Snapshot may be a moment
// behind, and is the mesh before where it is not.
func asStored(s *mesh.Snapshot, old *mesh.Object) *mesh.Snapshot {
	if old == nil {
		return s
	}
	if known := s.Get(old.Kind, old.Namespace, old.Name); known != nil && isKnown(known, old) {
		return s
	}
	return s.With(old)
}

// isKnown is whether the Snapshot's form of an object, of which a watch keeps what decides, is the stored one.
func isKnown(known, stored *mesh.Object) bool {
	return known.Terminating == stored.Terminating && maps.Equal(known.Labels, stored.Labels) && maps.Equal(known.Annotations, stored.Annotations) &&
		reflect.DeepEqual(known.Spec, stored.Spec)
}

// occasion is the request as checks may see it. They may think until it ends.
func (a *Admission) occasion(ctx context.Context, c *change) policies.Occasion {
	user := policies.User{Username: c.UserInfo.Username, UID: c.UserInfo.UID, Groups: c.UserInfo.Groups}
	for k, v := range c.UserInfo.Extra {
		if user.Extra == nil {
			user.Extra = map[string][]string{}
		}
		user.Extra[k] = v
	}
	return policies.Occasion{Phase: policies.AtAdmission, Now: a.Now(), Parameters: c.book.Parameters(), Operation: string(c.Operation), DryRun: dryRun(c.Request), User: user,
		Own: a.own(user.Username), Old: c.old,
		Over: func() bool { return ctx.Err() != nil }, Meter: a.Meter}
}

// own is whether a user is Waywarden itself, or may be.
func (a *Admission) own(username string) bool {
	if a.Self == nil {
		return false
	}
	self := a.Self()
	return self == "" || self == username
}

// asked are the checks that are asked of objects of a kind.
func (c *change) asked(k mesh.Kind) []*policies.Check { return c.book.Catalog().OfObjects(k) }

// on is a mesh to ask checks of, on an occasion.
func on(o policies.Occasion, s *mesh.Snapshot) *policies.View {
	v := policies.NewView(s)
	v.Occasion = o
	return v
}

// ask is what checks find, and what they could not find out.
func ask(checks []*policies.Check, v *policies.View, o *mesh.Object) []policies.Finding {
	return withFailures(policies.Evaluate(checks, v, o), v)
}

func withFailures(findings []policies.Finding, v *policies.View) []policies.Finding {
	failures := v.TakeFailures()
	for _, f := range failures {
		findings = append(findings, f.Finding)
	}
	if len(failures) > 0 {
		slices.SortStableFunc(findings, policies.CompareFindings)
	}
	return findings
}

// rule is what Guardrails say of findings.
func (a *Admission) rule(c *change, before, after *mesh.Snapshot, findings []policies.Finding, r decide.Request) decide.Decision {
	r.Mesh, r.Labels = after, a.Labels
	if c.object().Kind == mesh.Namespace {
		r.Before = before
		if c.new == nil {
			r.Mesh = before
		}
	}
	return c.book.Judge(r, findings, a.Now())
}

// without is the mesh without an object, and without all that a Namespace takes with it.
func without(s *mesh.Snapshot, o *mesh.Object) *mesh.Snapshot {
	if o.Kind == mesh.Namespace {
		return s.Emptied(o.Name)
	}
	return s.Without(o)
}
