package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// maxRepairs bounds the patches of one object: a chain of more is a mistake in the checks.
const maxRepairs = 10

// mutate repairs an object where every Guardrail that demands it says fix: Admission. It never denies: what is left is
// for validation to say.
func (a *Admission) mutate(ctx context.Context, r *ctrladmission.Request, record *Record) (ctrladmission.Response, error) {
	record.Phase, record.Outcome = "mutate", Admitted
	if isOwn(r.Kind.Group, r.Kind.Kind) {
		return stamp(r, record), nil
	}
	if !a.Rulebook().Repairs() {
		return admit(), nil // without a look: validation reads the object
	}
	c, err := a.read(r)
	if err != nil || c.new == nil || c.Operation != admissionv1.Create && c.Operation != admissionv1.Update || a.leftAlone(c) {
		return admit(), nil
	}
	response := admit()
	m := repairer{Admission: a, change: c, before: a.Snapshot(), occasion: a.occasion(ctx, c)}
	m.run()
	var w warnings
	if m.back && len(m.fixes) == 0 {
		const what = "took back what an earlier repair had added, because the object was applied as it was before"
		w.add("waywarden "+what+".", "It is stored as it was applied, and judged so.")
		record.Repairs = append(record.Repairs, what)
	}
	for _, x := range m.fixes {
		w.add("waywarden repaired this: " + x.Message + ".")
		record.Repairs = append(record.Repairs, x.Message)
	}
	for _, op := range m.ops {
		response.Patches = append(response.Patches, jsonpatch.JsonPatchOperation{Operation: op.Op, Path: op.Path, Value: op.Value})
	}
	for _, left := range m.left {
		w.add(left...)
	}
	if len(m.ops) > 0 {
		record.Outcome = Repaired
		response.AuditAnnotations = map[string]string{"decision": Repaired}
	}
	response.Warnings = w.list()
	return response, nil
}

// repairer applies one fix after another, and judges anew after each: a patch is safe only in the mesh for which it was
// offered.
type repairer struct {
	*Admission
	*change
	before *mesh.Snapshot
	// occasion is the request as checks may see it.
	occasion policies.Occasion
	ops      []policies.Op // all of them, in order
	fixes    []policies.Fix
	back     bool       // whether ops begin with undoing an earlier repair
	left     [][]string // what could be repaired and is not, each in a few sentences
}

func (m *repairer) run() {
	if back := takenBack(m.new); len(back) > 0 {
		if next := patched(m.new, back); next != nil {
			m.new, m.ops, m.back = next, back, true
		}
	}
	for range maxRepairs {
		findings, decision := m.ask(m.new)
		if !m.one(findings, decision) {
			break
		}
	}
	var ops []policies.Op
	for _, x := range m.fixes {
		ops = append(ops, x.Patch...)
	}
	m.ops = slices.Concat(m.ops, ops, marked(m.new, ops))
}

func (m *repairer) ask(o *mesh.Object) ([]policies.Finding, decide.Decision) {
	after := m.before.With(o)
	findings := ask(m.asked(o.Kind), on(m.occasion, after), o)
	return findings, m.rule(m.change, asStored(m.before, m.old), after, findings, decide.Request{})
}

// one applies the first patch that may be applied, and reports whether there was one.
func (m *repairer) one(findings []policies.Finding, decision decide.Decision) bool {
	m.left = nil
	for i, f := range findings {
		if !decision.Rulings[i].Repair {
			continue
		}
		for _, x := range f.Fixes {
			if len(x.Patch) == 0 || len(x.Apply) > 0 {
				continue
			}
			if why := m.keptFrom(x.Patch); why != "" {
				m.left = append(m.left, []string{fmt.Sprintf("waywarden leaves this for you to repair, because %s: %s.", why, x.Message), byHand(x.Patch, f.Check)})
				break
			}
			if next := m.tried(f, x, findings); next != nil {
				m.new, m.fixes = next, append(m.fixes, x)
				return true
			}
		}
	}
	return false
}

// byHand is a patch for its reader to apply. Half a patch is of no use.
func byHand(ops []policies.Op, check string) string {
	raw, err := json.Marshal(ops)
	text := fmt.Sprintf("The patch: %s [%s]", raw, check)
	if err != nil || utf8.RuneCountInString(text) > maxWarning {
		return fmt.Sprintf("waywarden fix shows the patch, which is too long for here. [%s]", check)
	}
	return text
}

// tried is the object with a fix applied; nil where the fix does not apply, does not make the finding go away, or brings
// another one that is more than information.
func (m *repairer) tried(f policies.Finding, x policies.Fix, before []policies.Finding) *mesh.Object {
	next := patched(m.new, x.Patch)
	if next == nil {
		return nil
	}
	after, _ := m.ask(next)
	for _, g := range after {
		if same(g, f) {
			return nil
		}
		if g.Severity != policies.Info && !slices.ContainsFunc(before, func(b policies.Finding) bool { return same(g, b) }) {
			return nil
		}
	}
	return next
}

func same(a, b policies.Finding) bool {
	return a.Check == b.Check && a.Field == b.Field && a.Message == b.Message
}
