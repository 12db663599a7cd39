package packs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
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
// files are judged here, and what they change is told. So it is of other files where they are at hand, but those are no reason not to
// store the pack: they may be others by the time that it is looked at.
func (g *Gate) Check(ctx context.Context, p, was *v1alpha1.RulePack) (causes []metav1.StatusCause, notes []string) {
	files, causes, notes := g.atHand(p, was)
	if files == nil || len(causes) > 0 {
		return causes, notes
	}
	testing, previewing, stop := shares(ctx)
	defer stop()
	pack, unknown, err := g.judged(testing, p, files)
	var refusal *Refused
	switch {
	case errors.Is(err, errBusy):
		return nil, append(notes, later("it is not judged yet: another pack was being judged", p))
	case errors.As(err, &refusal) && p.Spec.Modules != nil && p.Spec.RollbackTo == "":
		return causesOf(refusal), nil
	case refusal != nil:
		return nil, append(notes, later("as it is now, it would be refused: "+noted(refusal.Error()), p))
	case err != nil:
		return nil, append(notes, later(fmt.Sprintf("it could not be judged: %v", err), p))
	case unknown != nil:
		notes = append(notes, fmt.Sprintf("whether another pack has rules of the same names is not known: %v.", unknown))
	}
	return nil, append(notes, told(preview(previewing, g.Stored(), g.InForce(p.Name), pack))...)
}

// atHand are the files that a pack would bring, nil where they are not at hand or are those that were judged.
func (g *Gate) atHand(p, was *v1alpha1.RulePack) (files Files, causes []metav1.StatusCause, notes []string) {
	s := &p.Spec
	switch {
	case was != nil && equality.Semantic.DeepEqual(s, &was.Spec):
		return nil, nil, nil
	case s.RollbackTo != "":
		return g.rollback(p, was)
	case s.Modules != nil:
		if n := Files(s.Modules).stored(); n > mostStored {
			return nil, causesOf(tooLarge("in one RulePack", n)), nil
		}
		return s.Modules, nil, nil
	}
	notes = []string{fmt.Sprintf("what it names is judged once it is stored: kubectl get rulepack %s -o yaml says what came of it.", p.Name)}
	if s.ConfigMapRef == nil {
		return nil, nil, notes // no registry is asked while a request waits
	}
	c, err := g.Own.configMap(s.ConfigMapRef.Name)
	if err != nil {
		return nil, nil, notes
	}
	if files, err = ofConfigMap(c); err != nil {
		return nil, nil, append(notes, fmt.Sprintf("as it is now, it would be refused: of its ConfigMap, %v.", err))
	}
	return files, nil, notes
}

// errBusy is that another pack is being judged.
var errBusy = errors.New("another pack is being judged")

// judged is what files hold, put to the test, and held to who else has rules of their names; unknown is why that is not known.
func (g *Gate) judged(ctx context.Context, p *v1alpha1.RulePack, files Files) (pack *rules.Pack, unknown, err error) {
	select {
	case g.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, errBusy
	}
	if pack, err = judge(ctx, files, p.Spec.RollbackTo != "", func() { <-g.busy }); err != nil {
		return nil, nil, err
	}
	owners, unknown := g.owners(ctx, p.Name)
	if wrong := conflict(pack, owners); wrong != nil {
		return nil, nil, wrong
	}
	if wrong := given(pack, g.Stored().Parameters); wrong != nil {
		return nil, nil, wrong
	}
	return pack, unknown, nil
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

// rollback is what is kept of what rollbackTo names. In a cluster that is set up anew nothing is, so then it is no more than a warning.
func (g *Gate) rollback(p, was *v1alpha1.RulePack) (files Files, causes []metav1.StatusCause, notes []string) {
	back := p.Spec.RollbackTo
	if was != nil && was.Spec.RollbackTo == back {
		return nil, nil, nil
	}
	if was == nil {
		return nil, nil, []string{rollbackField + " names a revision of a pack that is new: nothing is in force until the revision is kept, or rollbackTo is taken out."}
	}
	revisions, err := g.Own.kept()
	if err != nil {
		return nil, nil, []string{fmt.Sprintf("whether %s is kept is not known: %v.", back, err)}
	}
	no := func(message string) []metav1.StatusCause {
		return []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Field: rollbackField, Message: message}}
	}
	known, _ := keptOf(was, revisions)
	k := revisionOf(known, back)
	if k == nil {
		return nil, no(unknown(back, known)), nil
	}
	w, err := k.again(p)
	var refusal *Refused
	if errors.As(err, &refusal) {
		return nil, no(refusal.Refusals[0].Message), nil
	}
	return w.files, nil, []string{"while " + rollbackField + " is set, the source is not looked at."}
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
		out = append(out, metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: fieldOf(one), Message: cut(one.String(), longestReason)})
	}
	return out
}

func fieldOf(r rules.Refusal) string {
	if ext := path.Ext(r.File); ext != ".rego" && ext != ".txtar" {
		return "spec.modules"
	}
	return v1alpha1.ModuleField(r.File)
}
