package packs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
)

// KeeperOptions say what is kept, and who is told.
type KeeperOptions struct {
	// Cache knows RulePacks.
	Cache  cache.Cache
	Own    *Own
	Client client.Client
	// Base are the checks that there are besides: no rule is called as one of them.
	Base []*policies.Check
	// InForce is what this replica has loaded of a pack; nil for nothing.
	InForce func(name string) *InForce
	// Stored is what is stored, for previews.
	Stored func() Stored
	// Fetch reads a bundle and holds it to its signature, as [FromRegistry] does. The error is *Refused where it says more than
	// that there is nothing; its message is consequence, cause and remedy. Nil where no registry is asked.
	Fetch func(context.Context, *v1alpha1.RulePackOCI) (*Signed, error)
	// Recorder makes Events on RulePacks.
	Recorder events.EventRecorder
	// Report hears how the RulePacks are: the reasons of their condition Ready, and how many have it. Took hears how long it took to
	// judge a pack and to preview it, by step and outcome. Each may be nil.
	Report func(map[string]int)
	Took   func(step Step, outcome string, d time.Duration)
	Clock  clock.WithTicker // nil is the machine's
	Log    logr.Logger
}

// Step is a part of what is done with a pack.
type Step string

// The steps.
const (
	Judging    Step = "judge"
	Previewing Step = "preview"
	Fetching   Step = "fetch"
)

// How long each step may take.
const (
	judgeFor   = time.Minute
	previewFor = 30 * time.Second
	fetchFor   = time.Minute
	// shownFor is how long a preview stands in the status before its revision is in force, where it could not be shown to who applied it:
	// long enough to be seen, and to be stopped with rollbackTo.
	shownFor = 10 * time.Second
)

const (
	// earlier is how many revisions are kept besides the one in force, and mostHistory how many the status names at most.
	earlier, mostHistory = 5, 20
	// slowAgain is after how long a pack is judged again for which the time was over: the machine may have been busy.
	slowAgain = 10 * time.Minute
)

// Keeper decides which revision of each RulePack is in force: it reads the sources, puts them to the test, keeps what is taken, and
// writes the statuses, by which every replica goes. One replica runs it, the leader.
type Keeper struct {
	KeeperOptions
	poke    chan struct{}
	judged  map[string]judgement // by pack
	beside  *beside
	fetches *fetches
	// claimed are the groups of packs that were put in force, by pack: the cache shows their statuses a moment later.
	claimed map[string][]string
	proofs  map[types.UID]proof // of what is kept, by its ControllerRevision
	made    []made
}

// made is a ControllerRevision that was made just now: the cache shows it a moment later.
type made struct {
	object *appsv1.ControllerRevision
	at     time.Time
}

// proof is what came of verifying what is kept, which nobody can change without making it anew.
type proof struct {
	signedBy string // by whom it has to be
	wrong    error
}

// judgement is what came of putting a revision to the test.
type judgement struct {
	revision string
	pack     *rules.Pack
	err      *Refused
	at       time.Time
}

// orRefused is a nil error, or the refusal.
func (j *judgement) orRefused() error {
	if j.err != nil {
		return j.err
	}
	return nil
}

// concluded is what came of judge. The error is one that is no refusal: of the pack it says nothing.
func concluded(pack *rules.Pack, err error) (j judgement, other error) {
	if err != nil && !errors.As(err, &j.err) {
		return j, err
	}
	j.pack = pack
	return j, nil
}

// NewKeeper prepares to keep.
func NewKeeper(o KeeperOptions) *Keeper {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Report == nil {
		o.Report = func(map[string]int) {}
	}
	if o.Took == nil {
		o.Took = func(Step, string, time.Duration) {}
	}
	k := &Keeper{KeeperOptions: o, poke: make(chan struct{}, 1), judged: map[string]judgement{}, claimed: map[string][]string{}, proofs: map[types.UID]proof{}}
	k.beside = newBeside(func() { knock(k.poke) })
	k.fetches = &fetches{clock: o.Clock, took: o.Took, of: map[string]*attempt{}, ready: func() { knock(k.poke) }}
	return k
}

// NeedLeaderElection is true: two keepers would only repeat one another.
func (k *Keeper) NeedLeaderElection() bool { return true }

// Start keeps until ctx ends. What did not work is tried again.
func (k *Keeper) Start(ctx context.Context) error {
	if err := follow(ctx, k.Cache, k.poke, k.Own.revisions, k.Own.configMaps); err != nil || ctx.Err() != nil {
		return err
	}
	each(ctx, k.Clock, k.poke, func() {
		if err := k.all(ctx); err != nil && ctx.Err() == nil {
			k.Log.Error(err, "a RulePack is not as it should be; it is tried again")
		}
	})
	return nil
}

// all brings every RulePack up to date, the oldest first.
func (k *Keeper) all(ctx context.Context) error {
	if !k.Stored().Ruled {
		return nil // which parameters Guardrails give is known in a moment
	}
	packs, revisions, err := listed(ctx, k.Cache, k.Own)
	if err != nil {
		return err
	}
	revisions = k.withMade(revisions)
	var errs []error
	reasons := map[string]int{}
	k.forget(packs, revisions)
	for i := range packs {
		p := &packs[i]
		if !p.DeletionTimestamp.IsZero() {
			continue
		}
		o := &one{Keeper: k, pack: p, was: p.Status.DeepCopy(), owners: k.owners(packs, p)}
		o.kept, o.others = keptOf(p, revisions)
		k.prove(o.kept)
		err := o.bring(ctx)
		reasons[o.reason]++
		if err != nil {
			errs = append(errs, fmt.Errorf("RulePack %s: %w", p.Name, err))
		}
	}
	k.Report(reasons)
	return errors.Join(errs...)
}

// forget drops what is known of packs that are gone.
func (k *Keeper) forget(packs []v1alpha1.RulePack, revisions []*appsv1.ControllerRevision) {
	gone := func(name string) bool {
		return !slices.ContainsFunc(packs, func(p v1alpha1.RulePack) bool { return p.Name == name && p.DeletionTimestamp.IsZero() })
	}
	maps.DeleteFunc(k.judged, func(name string, _ judgement) bool { return gone(name) })
	k.fetches.keep(func(name string) bool { return !gone(name) })
	k.beside.keep(func(name string) bool { return !gone(name) })
	maps.DeleteFunc(k.claimed, func(name string, _ []string) bool { return gone(name) })
	maps.DeleteFunc(k.proofs, func(uid types.UID, _ proof) bool {
		return !slices.ContainsFunc(revisions, func(c *appsv1.ControllerRevision) bool { return c.UID == uid })
	})
}

// withMade adds to what the cache shows what was made just now.
func (k *Keeper) withMade(revisions []*appsv1.ControllerRevision) []*appsv1.ControllerRevision {
	k.made = slices.DeleteFunc(k.made, func(m made) bool {
		return k.Clock.Since(m.at) > retry || slices.ContainsFunc(revisions, func(c *appsv1.ControllerRevision) bool { return c.UID == m.object.UID })
	})
	revisions = slices.Clip(revisions)
	for _, m := range k.made {
		revisions = append(revisions, m.object)
	}
	return revisions
}

// prove verifies what is kept, each once.
func (k *Keeper) prove(all []kept) {
	for i := range all {
		one := &all[i]
		p, known := k.proofs[one.object.UID]
		if !known || p.signedBy != one.signedBy {
			_, err := one.verified()
			p = proof{one.signedBy, err}
			k.proofs[one.object.UID] = p
		}
		one.wrong = p.wrong
	}
}

// owners say to whom the groups of rules belong that a pack may not use.
func (k *Keeper) owners(packs []v1alpha1.RulePack, but *v1alpha1.RulePack) map[string]string {
	out := baseGroups(k.Base)
	for i := range packs {
		p := &packs[i]
		if p.Name == but.Name || !p.DeletionTimestamp.IsZero() {
			continue
		}
		claimed, known := k.claimed[p.Name]
		if !known {
			claimed = p.Status.Groups
		}
		for _, group := range claimed {
			out[group] = "RulePack " + p.Name
		}
	}
	return out
}
