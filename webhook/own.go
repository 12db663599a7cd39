package webhook

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/plan"
)

// isOwn is whether a kind is one of Waywarden's own.
func isOwn(group, kind string) bool {
	return group == v1alpha1.GroupVersion.Group && slices.Contains([]string{v1alpha1.GuardrailKind, v1alpha1.ExemptionKind, v1alpha1.WaypointProfileKind, v1alpha1.RulePackKind}, kind)
}

// validateOwn judges a Guardrail, an Exemption, a WaypointProfile or a RulePack: what their CRDs cannot say.
func (a *Admission) validateOwn(ctx context.Context, r *ctrladmission.Request, record *Record) ctrladmission.Response {
	record.Outcome = Admitted
	if deletes(r) {
		return a.deleteOwn(r, record)
	}
	causes, warned := a.ownFaults(ctx, r)
	if len(causes) > 0 {
		record.Outcome = Denied
		return ctrladmission.Response{AdmissionResponse: admissionv1.AdmissionResponse{
			AuditAnnotations: map[string]string{"decision": Denied}, Result: denial(r, causes)}}
	}
	f := farewell{}
	f.add(warned...)
	if r.Operation == admissionv1.Update && r.Kind.Kind == v1alpha1.GuardrailKind {
		a.guardrailChanges(r, &f)
	}
	return f.admit(record)
}

// ownFaults are what keeps one of them from being stored, and what its author is told although it is.
func (a *Admission) ownFaults(ctx context.Context, r *ctrladmission.Request) (causes []metav1.StatusCause, warned []string) {
	unread := func(err error) []metav1.StatusCause {
		return []metav1.StatusCause{cause("spec", oneLine(fmt.Sprintf("this %s cannot be read: %v. Correct it.", r.Kind.Kind, err)))}
	}
	var w warnings
	switch r.Kind.Kind {
	case v1alpha1.WaypointProfileKind:
		p := &v1alpha1.WaypointProfile{}
		if err := json.Unmarshal(r.Object.Raw, p); err != nil {
			return unread(err), nil
		}
		causes = causesOf(p.Validate())
		if len(causes) == 0 {
			causes = causesOf(parameters.Check(p))
		}
		if err := plan.WrongSteps(p.Annotations[plan.StepsAnnotation]); err != nil {
			causes = append(causes, cause("metadata.annotations["+plan.StepsAnnotation+"]", fmt.Sprintf("nothing would move by these steps: %v. Write them as in 5/10m,50,100/1h.", err)))
		}
		drains(p, &w)
		return causes, w.list()
	case v1alpha1.RulePackKind:
		is, was, err := stored[v1alpha1.RulePack](r)
		if err != nil {
			return unread(err), nil
		}
		return a.packFaults(ctx, is, was)
	case v1alpha1.GuardrailKind:
		g := &v1alpha1.Guardrail{}
		if err := json.Unmarshal(r.Object.Raw, g); err != nil {
			return unread(err), nil
		}
		checks := a.Rulebook().Catalog().Checks()
		unknownChecks(g, checks, &w)
		return causesOf(slices.Concat(g.Validate(), decide.WrongParams(g, checks))), w.list()
	}
	e, was, err := stored[v1alpha1.Exemption](r)
	if err != nil {
		return unread(err), nil
	}
	return append(causesOf(e.Validate()), a.exemption(r, e, was)...), nil
}

// drains warns about a disruption budget that no node can be drained under: it is well formed, and seldom meant.
func drains(p *v1alpha1.WaypointProfile, w *warnings) {
	if n := parameters.Spare(&p.Spec); n == 0 {
		w.add("spec.disruptionBudget lets no node be drained that a waypoint runs on: it keeps as many pods as there are at least. Ask for more replicas, or keep fewer.")
	}
}

func causesOf(wrong []v1alpha1.FieldError) []metav1.StatusCause {
	var out []metav1.StatusCause
	for _, f := range wrong {
		out = append(out, cause(f.Field, fmt.Sprintf("it must be %s and is %s. Correct it.", f.Want, f.Got)))
	}
	return out
}

func cause(field, message string) metav1.StatusCause {
	return metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: field, Message: message}
}

// unknownChecks warns about globs that name no check: a mistake in one would demand nothing, in silence. It is no
// denial, because a Guardrail may be stored before the rules that it names.
func unknownChecks(g *v1alpha1.Guardrail, checks []*policies.Check, w *warnings) {
	for i, entry := range g.Spec.Checks {
		for j, glob := range entry.IDs {
			if !slices.ContainsFunc(checks, func(c *policies.Check) bool { return policies.MatchID(string(glob), c.ID) }) {
				w.add(fmt.Sprintf("spec.checks[%d].ids[%d] demands nothing: no check is called %q. waywarden checks list shows all.", i, j, glob))
			}
		}
	}
}

// packFaults are those of a RulePack, of which what is in it is looked at only where its form is right.
func (a *Admission) packFaults(ctx context.Context, is, was *v1alpha1.RulePack) (causes []metav1.StatusCause, warned []string) {
	if causes = causesOf(is.Validate()); len(causes) > 0 || a.CheckPack == nil {
		return causes, nil
	}
	causes, notes := a.CheckPack(ctx, is, was)
	var w warnings
	for _, n := range notes {
		w.add(n)
	}
	return causes, w.list()
}

// stored is an object of ours as it is to be stored, and as it is; nil for one that is new.
func stored[T any](r *ctrladmission.Request) (now, was *T, err error) {
	now = new(T)
	if err := json.Unmarshal(r.Object.Raw, now); err != nil {
		return nil, nil, err
	}
	if len(r.OldObject.Raw) > 0 {
		was = new(T)
		if err := json.Unmarshal(r.OldObject.Raw, was); err != nil {
			return nil, nil, err
		}
	}
	return now, was, nil
}

// exemption holds an Exemption to who grants it and for how long. One whose spec stays as it is, as when a finalizer goes,
// is not held to a time that has passed meanwhile.
func (a *Admission) exemption(r *ctrladmission.Request, e, was *v1alpha1.Exemption) []metav1.StatusCause {
	var out []metav1.StatusCause
	if granter := granterOf(r, e, was); e.Spec.GrantedBy != granter {
		out = append(out, cause("spec.grantedBy", fmt.Sprintf("it says who granted the Exemption, which is %q, and not %q. Leave it out: waywarden fills it in.", granter, e.Spec.GrantedBy)))
	}
	if was != nil && sameGrant(e, was) {
		return out
	}
	switch left := e.Spec.ExpiresAt.Sub(a.Now()); {
	case e.Spec.ExpiresAt.IsZero(): // the CRD's to say
	case left <= 0:
		out = append(out, cause("spec.expiresAt", fmt.Sprintf("the Exemption would except nothing: %s has passed. Choose a time to come.", e.Spec.ExpiresAt.UTC().Format(time.RFC3339))))
	case left > a.MaxExemption:
		latest := a.Now().Add(a.MaxExemption).UTC().Truncate(time.Second).Format(time.RFC3339)
		out = append(out, cause("spec.expiresAt", fmt.Sprintf("the Exemption would last too long: it may end by %s at the latest. Choose an earlier time and renew it then.", latest)))
	}
	return out
}

// granterOf is who grants the Exemption as it stands: the requester who makes it or changes it, else who did before.
func granterOf(r *ctrladmission.Request, e, was *v1alpha1.Exemption) string {
	if was != nil && sameGrant(e, was) {
		return was.Spec.GrantedBy
	}
	return r.UserInfo.Username
}

// sameGrant is whether two Exemptions grant the same, whoever granted it.
func sameGrant(a, b *v1alpha1.Exemption) bool {
	x, y := a.Spec, b.Spec
	x.GrantedBy, y.GrantedBy = "", ""
	return equality.Semantic.DeepEqual(x, y)
}

// stamp enters into an Exemption who grants it.
func stamp(r *ctrladmission.Request, record *Record) ctrladmission.Response {
	record.Outcome = Admitted
	if r.Kind.Kind != v1alpha1.ExemptionKind || deletes(r) {
		return admit()
	}
	e, was, err := stored[v1alpha1.Exemption](r)
	if err != nil {
		return admit() // validation says what is wrong with it
	}
	var parts struct {
		Spec map[string]any `json:"spec"`
	}
	if err := json.Unmarshal(r.Object.Raw, &parts); err != nil || parts.Spec == nil {
		return admit() // nothing can be added to it, and the API server says what it lacks
	}
	granter := granterOf(r, e, was)
	if e.Spec.GrantedBy == granter || strings.TrimSpace(granter) == "" {
		return admit()
	}
	record.Outcome = Repaired
	response := admit()
	response.Patches = []jsonpatch.JsonPatchOperation{{Operation: "add", Path: "/spec/grantedBy", Value: granter}}
	return response
}
