package decide

import (
	"maps"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Request is what findings are judged in the light of.
type Request struct {
	// Mesh is the mesh as it would be; it says which labels namespaces have. nil is a mesh of which nothing is known.
	Mesh *mesh.Snapshot
	// Before is the mesh as it was, where the request may change a namespace's labels; else nil. Findings are then judged
	// by the Guardrails that select the namespace and by those that did, so that nobody slips out of one.
	Before *mesh.Snapshot
	// BreakGlass is whether the requester asks to be let through, and may. Whoever calls Judge has asked the API server
	// whether they may. Reason is what they gave for it.
	BreakGlass bool
	Reason     string
}

// Ruling is what is done about one finding.
type Ruling struct {
	// Action is what Guardrails demand; Warn in place of Deny where the finding Waits. What is exempt keeps it.
	Action v1alpha1.Action
	// Guardrail demands it; the first by name of several. "" where none names the check.
	Guardrail string
	// Exempt is the Exemption that excepts the finding; nil where none does. It is not denied then.
	Exempt *Exemption
	// Lapsed is an Exemption that would except the finding and is not in force, for the reason in Lapse: StateExpired or
	// StateTooLong. nil where there is none, or where another one excepts the finding.
	Lapsed *Exemption
	Lapse  v1alpha1.ExemptionState
	// Waits is whether the finding would be denied and only waits for other objects.
	Waits bool
	// Repair is whether the object may be repaired on its way in: every Guardrail that demands the action, in every
	// namespace that the finding is about, says so. Who demands most decides, and one that wants objects left alone is
	// heard: an object that nobody changed is what its author expects. Findings that are exempt, that wait, or that are not
	// even warned about are never repaired.
	Repair bool
}

// Denies is whether the object is refused for the finding, but for break-glass.
func (r *Ruling) Denies() bool { return r.Action == v1alpha1.Deny && r.Exempt == nil }

// Totals counts findings by what is done about them; those that are exempt only as Exempt.
type Totals struct {
	Deny, Warn, Audit, Off int
	Exempt                 int
	// Waiting are those of Warn that would be denied and wait for other objects.
	Waiting int
}

// Decision is what is done about the findings of one object, or of many.
type Decision struct {
	// Rulings are one for each finding, in their order.
	Rulings []Ruling
	Totals  Totals
	// Denied is whether the object is refused.
	Denied bool
	// BrokenGlass is whether it would have been refused, and is let through because the requester may and asked for it, for
	// Reason. Whoever admits it warns and records that.
	BrokenGlass bool
	Reason      string
}

// Judge decides about findings. It writes to nothing that it is given and reads no clock; the same arguments give the
// same Decision, whatever the order in which Guardrails and Exemptions were given.
func (r *Rulebook) Judge(req Request, findings []policies.Finding, now time.Time) Decision {
	d := Decision{Rulings: make([]Ruling, len(findings))}
	j := judging{Rulebook: r, request: &req, now: now, votes: make([]vote, 0, len(r.guardrails))}
	for i := range findings {
		ruling := &d.Rulings[i]
		j.finding(&findings[i], ruling)
		d.Totals.count(ruling)
	}
	if d.Totals.Deny > 0 {
		d.Denied, d.BrokenGlass = !req.BreakGlass, req.BreakGlass
	}
	if d.BrokenGlass {
		d.Reason = req.Reason
	}
	return d
}

func (t *Totals) count(r *Ruling) {
	switch {
	case r.Exempt != nil:
		t.Exempt++
	case r.Action == v1alpha1.Deny:
		t.Deny++
	case r.Action == v1alpha1.Audit:
		t.Audit++
	case r.Action == v1alpha1.Off:
		t.Off++
	default:
		t.Warn++
	}
	if r.Waits && r.Exempt == nil {
		t.Waiting++
	}
}

// vote is what one Guardrail demands for a finding, wherever it selects.
type vote struct {
	*guardrail
	action v1alpha1.Action
}

// judging is one call of Judge. It keeps what findings share, so that judging one more allocates nothing.
type judging struct {
	*Rulebook
	request *Request
	now     time.Time
	votes   []vote
	place   place
}

func (j *judging) finding(f *policies.Finding, out *Ruling) {
	j.votes = j.votes[:0]
	for i := range j.guardrails {
		if action := j.guardrails[i].actionOn(f); action != "" {
			j.votes = append(j.votes, vote{&j.guardrails[i], action})
		}
	}
	j.everywhere(f, out)
	if out.Action != v1alpha1.Off {
		j.except(f, out)
	}
	if out.Action == v1alpha1.Deny && len(f.WaitsFor) > 0 {
		out.Action, out.Waits = v1alpha1.Warn, true
	}
	asked := out.Action == v1alpha1.Deny || out.Action == v1alpha1.Warn
	out.Repair = out.Repair && asked && out.Exempt == nil && len(f.WaitsFor) == 0
}

// everywhere is the strictest action of all places that the finding is about.
func (j *judging) everywhere(f *policies.Finding, out *Ruling) {
	if len(f.Namespaces) == 0 {
		name := f.Object.Namespace
		if f.Object.Kind == mesh.Namespace.String() {
			name = f.Object.Name
		}
		j.namespace(f, name, out)
		return
	}
	for _, ns := range f.Namespaces {
		j.namespace(f, ns, out)
	}
}

// namespace makes the ruling as strict as a namespace demands, as it would be and, where that differs, as it was.
func (j *judging) namespace(f *policies.Finding, name string, out *Ruling) {
	j.place = place{name: name, labels: labelsIn(j.request.Mesh, name)}
	j.here(f, out)
	before := j.request.Before
	if before == nil || before.Get(mesh.Namespace, "", name) == nil {
		return
	}
	if was := labelsIn(before, name); !maps.Equal(was, j.place.labels) {
		j.place.labels = was
		j.here(f, out)
	}
}

func labelsIn(s *mesh.Snapshot, namespace string) map[string]string {
	if s == nil || namespace == "" {
		return nil
	}
	return s.NamespaceLabels(namespace)
}

// here makes the ruling as strict as the Guardrails that select the place. Where none of them names the check, it is Warn, if
// the check finds it without parameters.
func (j *judging) here(f *policies.Finding, out *Ruling) {
	named := false
	for i := range j.votes {
		if v := &j.votes[i]; v.selects(&j.place) {
			named = true
			out.demand(v.action, v.name, v.fix)
		}
	}
	switch {
	case named:
	case foundWith(f, ""):
		out.demand(v1alpha1.Warn, "", false)
	default:
		out.demand(v1alpha1.Off, "", false)
	}
}

// demand enters one more demand: the strictest counts, and of several the first by name; the object may be repaired if
// all of them say so.
func (r *Ruling) demand(action v1alpha1.Action, guardrail string, fix bool) {
	switch {
	case r.Action == "" || action.Stricter(r.Action):
		r.Action, r.Guardrail, r.Repair = action, guardrail, fix
	case action == r.Action:
		if r.Guardrail == "" || guardrail != "" && guardrail < r.Guardrail {
			r.Guardrail = guardrail
		}
		r.Repair = r.Repair && fix
	}
}
