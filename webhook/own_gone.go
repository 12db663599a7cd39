package webhook

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/json"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/plan"
)

// farewell is what goes with an object of ours that is deleted, or changed.
type farewell struct {
	warnings
	lost []string // namespaces that are protected no more, or rules that are asked no more
}

// deleteOwn admits the deletion of an object of ours and says what goes with it. It is never denied: who may delete it is a
// matter of RBAC, and an installation that nobody could take apart would hold its cluster captive.
func (a *Admission) deleteOwn(r *ctrladmission.Request, record *Record) ctrladmission.Response {
	if slices.Contains(carriers, r.UserInfo.Username) {
		return admit() // the namespace of an Exemption terminates
	}
	f := a.farewell(r)
	return f.admit(record)
}

// admit is the answer that tells it.
func (f *farewell) admit(record *Record) ctrladmission.Response {
	response := admit()
	if response.Warnings = f.list(); len(response.Warnings) > 0 {
		record.Outcome = Warned
	}
	response.AuditAnnotations = map[string]string{"decision": record.Outcome}
	if len(f.lost) > 0 {
		response.AuditAnnotations["lost"] = listed(f.lost, maxLost)
	}
	return response
}

func (a *Admission) farewell(r *ctrladmission.Request) (out farewell) {
	var err error
	switch r.Kind.Kind {
	case v1alpha1.GuardrailKind:
		g := &v1alpha1.Guardrail{}
		if err = json.Unmarshal(r.OldObject.Raw, g); err == nil {
			a.guardrailGoes(g, &out)
		}
	case v1alpha1.WaypointProfileKind:
		p := &v1alpha1.WaypointProfile{}
		if err = json.Unmarshal(r.OldObject.Raw, p); err == nil {
			a.profileGoes(p.Name, &out)
		}
	case v1alpha1.RulePackKind:
		p := &v1alpha1.RulePack{}
		if err = json.Unmarshal(r.OldObject.Raw, p); err == nil {
			packGoes(p, &out)
		}
	case v1alpha1.ExemptionKind:
		e := &v1alpha1.Exemption{}
		if err = json.Unmarshal(r.OldObject.Raw, e); err == nil && e.Spec.ExpiresAt.After(a.Now()) {
			out.add(fmt.Sprintf("Exemption %s/%s excepts nothing any more: Guardrails hold again what it named, and deny its next change where they say so.", e.Namespace, e.Name))
		}
	}
	if err != nil {
		out.add(fmt.Sprintf("it is not known what goes with this %s: it cannot be read.", r.Kind.Kind))
	}
	return out
}

func (a *Admission) guardrailGoes(g *v1alpha1.Guardrail, out *farewell) {
	loss := a.Rulebook().Loss(g.Name, decide.Request{Mesh: a.Snapshot(), Labels: a.Labels})
	loses(g.Name, loss, out)
	a.makesNone(g, nil, out)
}

// makesNone tells of a Guardrail that had waypoints made; is is nil for one that goes.
func (a *Admission) makesNone(was, is *v1alpha1.Guardrail, out *farewell) {
	provisions := func(g *v1alpha1.Guardrail) bool {
		return g != nil && g.Spec.Waypoints != nil && g.Spec.Waypoints.Mode == v1alpha1.ProvisionWaypoints
	}
	if a.Waypoints != nil && provisions(was) && !provisions(is) {
		out.add(fmt.Sprintf("Guardrail %s no longer has waypoints made: where no other one does, none is made, and those that were stay as they are.", was.Name))
	}
}

// guardrailChanges tells what a Guardrail denies and will not once it is as it is to be stored.
func (a *Admission) guardrailChanges(r *ctrladmission.Request, out *farewell) {
	is, was, err := stored[v1alpha1.Guardrail](r)
	if err != nil || was == nil || equality.Semantic.DeepEqual(is.Spec, was.Spec) {
		return
	}
	loses(is.Name, a.Rulebook().Loosened(is, decide.Request{Mesh: a.Snapshot(), Labels: a.Labels}), out)
	a.makesNone(was, is, out)
}

func loses(guardrail string, loss decide.Loss, out *farewell) {
	if out.lost = loss.Namespaces; len(loss.Namespaces) > 0 {
		out.add(fmt.Sprintf("Guardrail %s no longer denies what %s in %s, and no other one does.",
			guardrail, finding(loss.Checks), named("Namespace", loss.Namespaces)),
			fmt.Sprintf("Denied no more: %s. Have another Guardrail deny it, or apply this one as it was.", listed(loss.Checks, maxListed)))
	}
}

// profileGoes tells of a profile by which waypoints are made. Without the one called default they are made as istioctl does.
func (a *Admission) profileGoes(name string, out *farewell) {
	if a.Waypoints == nil {
		return
	}
	for ns, s := range a.Waypoints(a.Snapshot()).Namespaces {
		if s.Mode == plan.Provision && s.Profile.Name == name {
			out.lost = append(out.lost, ns)
		}
	}
	slices.Sort(out.lost)
	switch {
	case len(out.lost) == 0:
	case name == v1alpha1.DefaultProfile:
		out.add(fmt.Sprintf("waypoints of %s are made without settings of their own from now on: WaypointProfile %s goes.", named("Namespace", out.lost), name))
	default:
		out.add(fmt.Sprintf("no waypoint is made in %s any more, and those that were stay as they are: WaypointProfile %s goes, and a Guardrail names it. Modes, guards and exceptions count all the same. Name another one there.",
			named("Namespace", out.lost), name))
	}
}

func packGoes(p *v1alpha1.RulePack, out *farewell) {
	for _, r := range p.Status.Rules {
		out.lost = append(out.lost, r.ID)
	}
	if slices.Sort(out.lost); len(out.lost) > 0 {
		out.add(fmt.Sprintf("the rules of RulePack %s are asked no more, whatever Guardrails demand of them: %s.", p.Name, listed(out.lost, maxListed)))
	}
}

const (
	maxListed = 4   // names in a warning
	maxLost   = 200 // names in an annotation of the audit log
)

// listed are names with commas between, and how many are left out.
func listed(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// named are names of one kind, as in "Namespaces bank, shop".
func named(kind string, names []string) string {
	if len(names) > 1 {
		kind += "s"
	}
	return kind + " " + listed(names, maxListed)
}

// finding is how many checks find something, as the subject of a clause and its verb.
func finding(checks []string) string {
	if len(checks) == 1 {
		return "1 check finds"
	}
	return fmt.Sprintf("%d checks find", len(checks))
}
