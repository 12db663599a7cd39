package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// DefaultMaxDuration is how far ahead an Exemption may end where an installation says nothing else.
const DefaultMaxDuration = 90 * 24 * time.Hour

// Options are how an installation is set up. The zero value is useful.
type Options struct {
	// MaxDuration is how far ahead an Exemption may end; 0 means DefaultMaxDuration.
	MaxDuration time.Duration
	// Checks are those that are asked, and whose parameters Guardrails are held to; nil means all built-in ones.
	Checks []*policies.Check
}

// Rulebook is the Guardrails and Exemptions in force, compiled, and the checks that they were compiled for: what is judged by
// one Rulebook is asked and decided by one revision of each. It is immutable and safe for concurrent use; another one takes
// its place when one of them changes.
type Rulebook struct {
	catalog     *policies.Catalog
	guardrails  []guardrail             // by name
	exemptions  map[string][]*Exemption // by namespace; in it by name
	maxDuration time.Duration
	parameters  *policies.Parameters
}

// Problem is something in a Guardrail or an Exemption that keeps it from being applied. The others still are.
type Problem struct {
	Object  mesh.Ref
	Field   string // as in "spec.checks[0].action"
	Message string // consequence: cause. remedy.
}

func (p Problem) Error() string { return p.Message }

type guardrail struct {
	name     string
	selector labels.Selector
	byLabels bool // it asks for more than a namespace's name
	entries  []entry
	fix      bool
}

type entry struct {
	ids    []string
	least  int // the rank of the least severe finding that the entry is about
	action v1alpha1.Action
	params *policies.Params // nil for none; an entry with some names one check
}

// Exemption is one that is well formed. It is immutable, and the same pointer as long as the Rulebook lives.
type Exemption struct {
	Namespace, Name           string
	Reason, Ticket, GrantedBy string
	ExpiresAt                 time.Time

	checks   []string
	subjects []v1alpha1.Subject
}

// Ref names the Exemption.
func (e *Exemption) Ref() mesh.Ref { return exemptionRef(e.Namespace, e.Name) }

func exemptionRef(namespace, name string) mesh.Ref {
	return mesh.Ref{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.ExemptionKind, Namespace: namespace, Name: name}
}

func guardrailRef(name string) mesh.Ref {
	return mesh.Ref{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.GuardrailKind, Name: name}
}

// New compiles Guardrails and Exemptions. One that is not well formed is left out, and every reason for that is
// a Problem; an API server that serves their CRDs stores none. Their order does not matter. New keeps nothing of what it
// was given.
func New(opts Options, guardrails []*v1alpha1.Guardrail, exemptions []*v1alpha1.Exemption) (*Rulebook, []Problem) {
	if opts.Checks == nil {
		opts.Checks = policies.Checks()
	}
	r := &Rulebook{catalog: policies.NewCatalog(opts.Checks), exemptions: map[string][]*Exemption{}, maxDuration: opts.MaxDuration}
	if r.maxDuration <= 0 {
		r.maxDuration = DefaultMaxDuration
	}
	var problems []Problem
	for _, g := range guardrails {
		wrong := problemsOf(guardrailRef(g.Name), slices.Concat(g.Validate(), WrongParams(g, opts.Checks)))
		if problems = append(problems, wrong...); len(wrong) == 0 {
			r.guardrails = append(r.guardrails, compileGuardrail(g))
		}
	}
	for _, e := range exemptions {
		wrong := problemsOf(exemptionRef(e.Namespace, e.Name), e.Validate())
		if problems = append(problems, wrong...); len(wrong) == 0 {
			r.exemptions[e.Namespace] = append(r.exemptions[e.Namespace], compileExemption(e))
		}
	}
	slices.SortStableFunc(r.guardrails, func(a, b guardrail) int { return strings.Compare(a.name, b.name) })
	r.parameters = parametersOf(r.guardrails)
	for _, here := range r.exemptions {
		slices.SortStableFunc(here, func(a, b *Exemption) int { return strings.Compare(a.Name, b.Name) })
	}
	return r, problems
}

// Catalog is the checks that the Rulebook was compiled for.
func (r *Rulebook) Catalog() *policies.Catalog { return r.catalog }

// problemsOf says of each fault what follows from it and what to do.
func problemsOf(object mesh.Ref, faults []v1alpha1.FieldError) []Problem {
	var out []Problem
	for _, f := range faults {
		out = append(out, Problem{Object: object, Field: f.Field, Message: refusal(object, f)})
	}
	return out
}

// refusal is how a message says that a Guardrail or Exemption is not applied, and why.
func refusal(object mesh.Ref, f v1alpha1.FieldError) string {
	return fmt.Sprintf("%s is not applied: %s. Correct it.", object, f)
}

func compileGuardrail(g *v1alpha1.Guardrail) guardrail {
	selector, err := metav1.LabelSelectorAsSelector(&g.Spec.NamespaceSelector)
	if err != nil {
		panic("decide: a selector that was found well formed cannot be read: " + err.Error())
	}
	out := guardrail{name: g.Name, selector: selector, fix: g.Spec.Fix == v1alpha1.FixAdmission}
	requirements, _ := selector.Requirements()
	out.byLabels = slices.ContainsFunc(requirements, func(r labels.Requirement) bool { return r.Key() != nameLabel })
	for _, c := range g.Spec.Checks {
		e := entry{ids: globs(c.IDs), least: len(policies.Severities), action: c.Action, params: params(c)}
		if c.MinSeverity != "" {
			e.least = policies.Severity(c.MinSeverity).Rank()
		}
		out.entries = append(out.entries, e)
	}
	return out
}

func compileExemption(e *v1alpha1.Exemption) *Exemption {
	return &Exemption{
		Namespace: e.Namespace, Name: e.Name, Reason: e.Spec.Reason, Ticket: e.Spec.Ticket, GrantedBy: e.Spec.GrantedBy,
		ExpiresAt: e.Spec.ExpiresAt.Time, checks: globs(e.Spec.Checks), subjects: slices.Clone(e.Spec.Subjects),
	}
}

func globs(in []v1alpha1.CheckGlob) []string {
	out := make([]string, len(in))
	for i, g := range in {
		out[i] = string(g)
	}
	return out
}

func matchesCheck(globs []string, id string) bool {
	for _, g := range globs {
		if policies.MatchID(g, id) {
			return true
		}
	}
	return false
}

// actionOn is what the Guardrail demands for a finding; "" where no entry names its check, and Off for what is none with the
// parameters that it gives.
func (g *guardrail) actionOn(f *policies.Finding) v1alpha1.Action {
	rank := f.Severity.Rank()
	if f.Params != nil && !foundWith(f, g.paramsFor(f.Check)) {
		if slices.ContainsFunc(g.entries, func(e entry) bool { return matchesCheck(e.ids, f.Check) }) {
			return v1alpha1.Off
		}
		return ""
	}
	for i := len(g.entries) - 1; i >= 0; i-- {
		if e := &g.entries[i]; rank <= e.least && matchesCheck(e.ids, f.Check) {
			return e.action
		}
	}
	return ""
}

// Repairs is whether any Guardrail lets objects be repaired.
func (r *Rulebook) Repairs() bool {
	return slices.ContainsFunc(r.guardrails, func(g guardrail) bool { return g.fix })
}

// Left are the Guardrails, by name, that select a namespace with the labels that it had and do not with those that it gets.
func (r *Rulebook) Left(namespace string, was, is map[string]string) []string {
	var out []string
	for i := range r.guardrails {
		if g := &r.guardrails[i]; g.selects(&place{name: namespace, labels: was}) && !g.selects(&place{name: namespace, labels: is}) {
			out = append(out, g.name)
		}
	}
	return out
}

// Reach is how many of some checks a Guardrail's entries name, and how many namespaces of a mesh it selects: what its
// status says. ok is false where there is no such Guardrail in force.
func (r *Rulebook) Reach(name string, s *mesh.Snapshot, checkIDs []string) (checks, namespaces int, ok bool) {
	i := slices.IndexFunc(r.guardrails, func(g guardrail) bool { return g.name == name })
	if i < 0 {
		return 0, 0, false
	}
	g := &r.guardrails[i]
	for _, id := range checkIDs {
		if slices.ContainsFunc(g.entries, func(e entry) bool { return matchesCheck(e.ids, id) }) {
			checks++
		}
	}
	for ns := range s.Namespaces() {
		if g.selector.Matches(&place{name: ns, labels: s.NamespaceLabels(ns)}) {
			namespaces++
		}
	}
	return checks, namespaces, true
}
