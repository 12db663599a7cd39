package webhook

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// leftAlone is whether a request is admitted without a look: nothing by which a mesh is judged changes, or the object is
// one that istiod makes for itself. One that is being deleted is in force until its last finalizer goes, and whoever put
// that there would have it judged never; only a Namespace is different, as it has nothing to lose any more.
func leftAlone(c *change) bool {
	if deletes(c.Request) {
		return systemDeletes(c.UserInfo.Username) || madeByIstiod(c.old)
	}
	if c.Operation == admissionv1.Update && (!decides(c) || c.new.Terminating && c.new.Kind == mesh.Namespace) {
		return true
	}
	// A label that comes with an update is somebody's as well.
	return madeByIstiod(c.new) && (c.Operation == admissionv1.Create || madeByIstiod(c.old))
}

func decides(c *change) bool { return (&policies.Change{Old: c.old, New: c.new}).Decides() }

// madeByIstiod is whether istiod deploys the object for a Gateway and keeps it as it wants. Of what is asked about that can
// only be a Service; on anything else the label is somebody's attempt to be left alone.
func madeByIstiod(o *mesh.Object) bool {
	return o != nil && o.Kind == mesh.Service && o.Labels[label.GatewayManaged.Name] != ""
}

// systemDeletes is whether what deletes is a controller that only carries out what was decided before: a namespace that
// terminates must empty, and what lost its owner must go.
func systemDeletes(user string) bool {
	switch user {
	case "system:serviceaccount:kube-system:namespace-controller", "system:serviceaccount:kube-system:generic-garbage-collector", "system:kube-controller-manager":
		return true
	}
	return false
}

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
	after := before
	if c.new != nil {
		after = before.With(c.new)
		v.findings = ask(a.objects[kind], on(occasion, after), c.new)
		if c.old != nil && !kind.IsPolicy() {
			occasion.Old = nil
			v.findings = a.newly(on(occasion, before.With(c.old)), c.old, v.findings)
		}
	}
	if checks := a.changes[kind]; len(checks) > 0 && (c.new == nil || c.old != nil || !kind.IsPolicy()) {
		v.findings = append(v.findings, a.changed(a.occasion(ctx, c), checks, c, before, after)...)
		slices.SortStableFunc(v.findings, policies.CompareFindings)
	}
	v.decision = a.rule(c, before, after, v.findings, decide.Request{})
	return v
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
	return policies.Occasion{Phase: policies.AtAdmission, Now: a.Now(), Parameters: a.Rulebook().Parameters(), Operation: string(c.Operation), DryRun: dryRun(c.Request), User: user, Old: c.old,
		Over: func() bool { return ctx.Err() != nil }}
}

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
	r.Mesh = after
	if c.object().Kind == mesh.Namespace {
		r.Before = before
		if c.new == nil {
			r.Mesh = before
		}
	}
	return a.Rulebook().Judge(r, findings, a.Now())
}

// newly leaves of the findings about an object that is no policy those that it did not have before: Services and
// Namespaces are updated by many, and most of them cannot do anything about what was there.
func (a *Admission) newly(before *policies.View, old *mesh.Object, findings []policies.Finding) []policies.Finding {
	if len(findings) == 0 {
		return nil
	}
	was := ask(a.objects[old.Kind], before, old)
	return slices.DeleteFunc(findings, func(f policies.Finding) bool {
		return slices.ContainsFunc(was, func(o policies.Finding) bool {
			return o.Check == f.Check && o.Field == f.Field && o.Verdict == f.Verdict && o.Severity == f.Severity
		})
	})
}

// changed asks what the change does to the rest of the mesh. The stored form of the object is the request's: the
// Snapshot may be a moment behind.
func (a *Admission) changed(occasion policies.Occasion, checks []*policies.Check, c *change, before, after *mesh.Snapshot) []policies.Finding {
	if c.old != nil {
		before = before.With(c.old)
	}
	if c.new == nil {
		after = without(before, c.old)
	}
	view := on(occasion, after)
	findings := policies.EvaluateChange(checks, &policies.Change{Old: c.old, New: c.new, Before: policies.NewView(before), After: view})
	return withFailures(findings, view)
}

// without is the mesh without an object, and without all that a Namespace takes with it.
func without(s *mesh.Snapshot, o *mesh.Object) *mesh.Snapshot {
	if o.Kind == mesh.Namespace {
		return s.Emptied(o.Name)
	}
	return s.Without(o)
}
