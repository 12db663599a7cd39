package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// movedOut is what a Namespace's change of labels takes out of the reach of Guardrails: the findings about what is stored in it
// that they deny, or warn about, and that nobody does any more. They are the change's, and judged by the Guardrails
// from before: else whoever may label a Namespace could store in it whatever they like.
func (a *Admission) movedOut(c *change, was, is *policies.View) []policies.Finding {
	if c.old == nil || c.new == nil || c.new.Kind != mesh.Namespace {
		return nil
	}
	left := c.book.Left(c.new.Name, c.old.Labels, c.new.Labels)
	if len(left) == 0 {
		return nil
	}
	stored := on(policies.Occasion{Phase: policies.AtAudit, Now: a.Now(), Parameters: c.book.Parameters(), Over: is.Occasion.Over, Meter: a.Meter}, is.Snapshot) // nobody asks to change these
	var found []policies.Finding
	for _, kind := range mesh.Kinds() {
		if checks := c.asked(kind); kind != mesh.Namespace && len(checks) > 0 {
			for _, o := range stored.List(kind, c.new.Name) {
				found = append(found, ask(checks, stored, o)...)
			}
		}
	}
	before := c.book.Judge(decide.Request{Mesh: was.Snapshot, Labels: a.Labels}, found, a.Now())
	after := c.book.Judge(decide.Request{Mesh: is.Snapshot, Labels: a.Labels}, found, a.Now())
	var out []policies.Finding
	for i, f := range found {
		if b := &before.Rulings[i]; b.Exempt == nil && b.Action.Stricter(v1alpha1.Audit) && b.Action.Stricter(after.Rulings[i].Action) && slices.Contains(left, b.Guardrail) {
			out = append(out, outOfReach(f, b.Guardrail))
		}
	}
	return out
}

// outOfReach is a finding about a stored object as one about the labels of its Namespace.
func outOfReach(f policies.Finding, guardrail string) policies.Finding {
	object := mesh.Ref{Kind: f.Object.Kind, Namespace: f.Object.Namespace, Name: f.Object.Name}
	f.Field, f.Fixes = "metadata.labels", nil
	f.Message = fmt.Sprintf("%s would be out of reach of Guardrail %s, which does not let it pass: %s", object, guardrail, f.Message)
	f.Remedy = strings.TrimSpace(f.Remedy + " Or keep the labels that the Guardrail selects by.")
	return f
}
