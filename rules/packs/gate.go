package packs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
)

// GateOptions say what packs are judged by at admission.
type GateOptions struct {
	// Cache knows RulePacks.
	Cache client.Reader
	Own   *Own
	// Base are the checks that there are besides: no rule is called as one of them.
	Base []*policies.Check
	// InForce is what this replica has loaded of a pack; nil for nothing.
	InForce func(name string) *InForce
	// Stored is what is stored, for previews.
	Stored func() Stored
}

// Gate judges RulePacks before they are stored, in every replica. It writes nothing, so a dry run leaves nothing behind.
type Gate struct {
	GateOptions
	busy chan struct{}
}

// NewGate makes a Gate.
func NewGate(o GateOptions) *Gate { return &Gate{o, make(chan struct{}, 1)} }

const (
	// mostCauses are how many reasons a denial gives one by one.
	mostCauses = 50
	// unbounded is how long a pack may take where the request has no end.
	unbounded = 10 * time.Second
)

// Check is why a pack is not to be stored, and what its author is told although it is. was is nil for one that is new. Inline
// files are judged here; others when they are read.
func (g *Gate) Check(ctx context.Context, p, was *v1alpha1.RulePack) (causes []metav1.StatusCause, notes []string) {
	if causes, notes = g.rollback(p, was); len(causes) > 0 || p.Spec.RollbackTo != "" {
		return causes, notes
	}
	switch {
	case p.Spec.Modules == nil:
		return nil, []string{fmt.Sprintf("what it names is judged once it is stored: kubectl get rulepack %s -o yaml says what came of it.", p.Name)}
	case was != nil && was.Spec.RollbackTo == "" && maps.Equal(p.Spec.Modules, was.Spec.Modules):
		return nil, nil
	}
	testing, previewing, stop := shares(ctx)
	defer stop()
	pack, err := judge(testing, p.Spec.Modules, g.busy)
	if err == nil {
		owners, unknown := g.owners(ctx, p.Name)
		if unknown != nil {
			notes = append(notes, fmt.Sprintf("whether another pack has rules of the same names is not known: %v.", unknown))
		}
		if wrong := conflict(pack, owners); wrong != nil {
			err = wrong
		} else if wrong := given(pack, g.Stored().Parameters); wrong != nil {
			err = wrong
		}
	}
	var refusal *Refused
	switch {
	case errors.As(err, &refusal) && refusal.passing:
		return nil, []string{later("it is not judged yet: another pack was being judged", p)}
	case refusal != nil:
		return causesOf(refusal), nil
	case err != nil:
		return nil, []string{later(fmt.Sprintf("it could not be judged: %v", err), p)}
	}
	return nil, append(notes, told(preview(previewing, g.Stored(), g.InForce(p.Name), pack))...)
}

// later is what the author of a pack is told of which a request cannot say whether it is good: the Keeper judges it, and puts nothing
// in force that it has not judged.
func later(why string, p *v1alpha1.RulePack) string {
	return fmt.Sprintf("%s. It is judged once it is stored: kubectl get rulepack %s -o yaml says what came of it.", why, p.Name)
}

// shares divides the time that a request has: most for the tests, the rest for the preview and for the answer.
func shares(ctx context.Context) (testing, previewing context.Context, stop func()) {
	whole := unbounded
	if end, ok := ctx.Deadline(); ok {
		whole = time.Until(end)
	}
	testing, one := context.WithTimeout(ctx, whole*6/10)
	previewing, two := context.WithTimeout(ctx, whole*9/10)
	return testing, previewing, func() { one(); two() }
}

// rollback holds rollbackTo to what is kept. In a cluster that is set up anew nothing is, so then it is no more than a warning.
func (g *Gate) rollback(p, was *v1alpha1.RulePack) (causes []metav1.StatusCause, notes []string) {
	back := p.Spec.RollbackTo
	if back == "" || was != nil && was.Spec.RollbackTo == back {
		return nil, nil
	}
	const field = "spec.rollbackTo"
	if was == nil {
		return nil, []string{field + " names a revision of a pack that is new: nothing is in force until the revision is kept, or rollbackTo is taken out."}
	}
	revisions, err := g.Own.kept()
	if err != nil {
		return nil, []string{fmt.Sprintf("whether %s is kept is not known: %v.", back, err)}
	}
	if revisionOf(keptOf(was, revisions), back) != nil {
		return nil, []string{"while " + field + " is set, the source is not looked at."}
	}
	message := fmt.Sprintf("there is nothing to roll back to: %s is not kept. Name one of status.history:", back)
	for _, k := range keptOf(was, revisions) {
		message += " " + k.Revision
	}
	return []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Field: field, Message: message}}, nil
}

// owners say to whom the groups of rules belong that a pack may not use.
func (g *Gate) owners(ctx context.Context, but string) (map[string]string, error) {
	out := baseGroups(g.Base)
	var all v1alpha1.RulePackList
	err := g.Cache.List(ctx, &all)
	for i := range all.Items {
		p := &all.Items[i]
		if p.Name == but || !p.DeletionTimestamp.IsZero() {
			continue
		}
		for _, group := range p.Status.Groups {
			out[group] = "RulePack " + p.Name
		}
	}
	return out, err
}

// causesOf are the reasons of a refusal, each at the file that it is about.
func causesOf(r *Refused) []metav1.StatusCause {
	var out []metav1.StatusCause
	for i, one := range r.Refusals {
		if i == mostCauses {
			return append(out, metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.modules",
				Message: fmt.Sprintf("there are %d more reasons: waywarden rules check and waywarden rules test show all.", len(r.Refusals)-i)})
		}
		out = append(out, metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: fieldOf(one), Message: one.String()})
	}
	return out
}

func fieldOf(r rules.Refusal) string {
	if ext := path.Ext(r.File); ext != ".rego" && ext != ".txtar" {
		return "spec.modules"
	}
	return v1alpha1.ModuleField(r.File)
}
