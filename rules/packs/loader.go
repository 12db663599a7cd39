package packs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
)

// LoaderOptions say what is loaded, and who is told.
type LoaderOptions struct {
	// Cache knows RulePacks.
	Cache cache.Cache
	Own   *Own
	// Base are the checks that there are besides, sorted by ID.
	Base []*policies.Check
	// Changed is called when Checks are others than before.
	Changed func(context.Context)
	// Observe hears of each revision that was loaded, or could not be. It may be nil.
	Observe func(loaded bool)
	Clock   clock.WithTicker // nil is the machine's
	Log     logr.Logger
}

// Loader keeps the rules of all RulePacks loaded that are in force, in every replica: what their statuses name. A pack that is
// deleted leaves at once. A revision that cannot be loaded leaves the one before in force.
type Loader struct {
	LoaderOptions
	poke    chan struct{}
	beside  *beside
	current atomic.Pointer[set]
	// have and failed are what came of loading, by pack.
	have   map[string]*InForce
	failed map[string]failure
}

// failure is that a revision could not be loaded.
type failure struct {
	revision string
	of       types.UID // of what is kept; "" for the pack itself
	err      error
	at       time.Time
}

// set is what is in force. It is immutable.
type set struct {
	packs  []*InForce // the oldest first
	checks []*policies.Check
}

// InForce is a revision of a pack that is in force. Do not write to it.
type InForce struct {
	Name, Revision string
	Checks         []*policies.Check
	pack           *rules.Pack
}

// checks are those of what is in force; none for nil.
func (i *InForce) checks() []*policies.Check {
	if i == nil {
		return nil
	}
	return i.Checks
}

// retry is after how long it is tried again what did not work.
const retry = 10 * time.Second

// NewLoader prepares to load.
func NewLoader(o LoaderOptions) *Loader {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Observe == nil {
		o.Observe = func(bool) {}
	}
	l := &Loader{LoaderOptions: o, poke: make(chan struct{}, 1), have: map[string]*InForce{}, failed: map[string]failure{}}
	l.beside = newBeside(func() { knock(l.poke) })
	return l
}

// NeedLeaderElection is false: every replica judges.
func (l *Loader) NeedLeaderElection() bool { return false }

// Checks are all checks there are, sorted by ID; nil before everything was loaded once.
func (l *Loader) Checks() []*policies.Check {
	if s := l.current.Load(); s != nil {
		return s.checks
	}
	return nil
}

// InForce is what is in force of a pack; nil where nothing is.
func (l *Loader) InForce(name string) *InForce {
	if s := l.current.Load(); s != nil {
		return s.of(name)
	}
	return nil
}

func (s *set) of(name string) *InForce {
	i := slices.IndexFunc(s.packs, func(p *InForce) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return s.packs[i]
}

// Rules is how many rules of packs are in force.
func (l *Loader) Rules() int {
	n := 0
	if s := l.current.Load(); s != nil {
		for _, p := range s.packs {
			n += len(p.Checks)
		}
	}
	return n
}

// Ready is nil once everything was loaded that could be.
func (l *Loader) Ready() error {
	if l.current.Load() == nil {
		return errors.New("the rules are not known: RulePacks have not been loaded yet")
	}
	return nil
}

// Start loads until ctx ends.
func (l *Loader) Start(ctx context.Context) error {
	if err := follow(ctx, l.Cache, l.poke, l.Own.revisions); err != nil || ctx.Err() != nil {
		return err
	}
	each(ctx, l.Clock, l.poke, func() {
		if err := l.load(ctx); err != nil && ctx.Err() == nil {
			l.Log.Error(err, "a RulePack is not in force as its status says; it is tried again")
		}
	})
	return nil
}

// informer is what follow needs of one; those of client-go and of controller-runtime have it.
type informer interface {
	AddEventHandler(toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error)
}

// knock tells who waits that something is new.
func knock(poke chan struct{}) {
	select {
	case poke <- struct{}{}:
	default: // what is to come sees everything
	}
}

// follow pokes at every change of RulePacks, and of what else is given, and returns once all there are were listed.
func follow(ctx context.Context, c cache.Cache, poke chan struct{}, others ...informer) error {
	packs, err := c.GetInformer(ctx, &v1alpha1.RulePack{})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("watch RulePacks: %w. Install the CRDs of the chart", err)
	}
	changed := func() { knock(poke) }
	for _, one := range append(others, packs) {
		handler, err := one.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { changed() }, DeleteFunc: func(any) { changed() }, UpdateFunc: func(_, _ any) { changed() },
		})
		if err != nil {
			return fmt.Errorf("watch RulePacks and what belongs to them: %w", err)
		}
		if !toolscache.WaitForCacheSync(ctx.Done(), handler.HasSynced) {
			return nil
		}
	}
	return nil
}

// each does its work at once, whenever it is poked, and now and then, until ctx ends.
func each(ctx context.Context, c clock.WithTicker, poke <-chan struct{}, work func()) {
	ticker := c.NewTicker(retry)
	defer ticker.Stop()
	for {
		work()
		select {
		case <-ctx.Done():
			return
		case <-poke:
		case <-ticker.C():
		}
	}
}

// load brings what is in force up to date, as far as it is compiled: that is done beside it, and before the first time all of it is. The
// error is for what could not be loaded; the rest is.
func (l *Loader) load(ctx context.Context) error {
	all, revisions, err := listed(ctx, l.Cache, l.Own)
	if err != nil {
		return err
	}
	next, waits, err := l.next(ctx, all, revisions)
	before := l.current.Load()
	if before == nil && waits || before != nil && slices.Equal(before.packs, next) {
		return err
	}
	l.current.Store(l.together(next))
	l.Changed(ctx)
	return err
}

// next is what is to be in force, as far as it is compiled; waits is whether something is not yet.
func (l *Loader) next(ctx context.Context, all []v1alpha1.RulePack, revisions []*appsv1.ControllerRevision) (next []*InForce, waits bool, err error) {
	var errs []error
	here := map[string]bool{}
	for i := range all {
		p := &all[i]
		if p.Status.Revision == "" || !p.DeletionTimestamp.IsZero() {
			continue
		}
		here[p.Name] = true
		done, err := l.one(ctx, p, revisions)
		waits = waits || !done
		if err != nil {
			errs = append(errs, fmt.Errorf("load %s of RulePack %s: %w", p.Status.Revision, p.Name, err))
		}
		if is := l.have[p.Name]; is != nil {
			next = append(next, is)
		}
	}
	l.beside.keep(func(name string) bool { return here[name] })
	maps.DeleteFunc(l.have, func(name string, _ *InForce) bool { return !here[name] })
	maps.DeleteFunc(l.failed, func(name string, _ failure) bool { return !here[name] })
	return next, waits, errors.Join(errs...)
}

// one loads what the status of a pack names; done is whether it is known what comes of it. What could not be loaded is tried again
// after a while, and not before everything was tried once.
func (l *Loader) one(ctx context.Context, p *v1alpha1.RulePack, revisions []*appsv1.ControllerRevision) (done bool, err error) {
	if is := l.have[p.Name]; is != nil && is.Revision == p.Status.Revision {
		return true, nil
	}
	k, err := holder(p, revisions)
	if err != nil {
		l.missed(p, err)
		return true, err // it is looked at again as soon as it is kept
	}
	f := failure{revision: p.Status.Revision}
	if k != nil {
		f.of = k.object.UID
	}
	if was := l.failed[p.Name]; was.revision == f.revision && was.of == f.of && (l.current.Load() == nil || l.Clock.Since(was.at) < retry) {
		return true, was.err
	}
	out, done := l.beside.do(ctx, p.Name, f.revision+" "+string(f.of), func(_ context.Context, ended func()) outcome {
		defer ended()
		is, err := loaded(p, k)
		return outcome{inForce: is, err: err}
	})
	if !done {
		return false, nil
	}
	l.Observe(out.err == nil)
	if out.err != nil {
		f.err, f.at = out.err, l.Clock.Now()
		l.failed[p.Name] = f
		return true, out.err
	}
	l.have[p.Name] = out.inForce
	delete(l.failed, p.Name)
	return true, nil
}

// missed tells of a revision that is not kept, once it has not been for a while: the cache may show a status a moment before what it names.
func (l *Loader) missed(p *v1alpha1.RulePack, err error) {
	const nothing = types.UID("nothing")
	f := failure{p.Status.Revision, nothing, err, l.Clock.Now()}
	if was := l.failed[p.Name]; was.revision == f.revision && was.of == nothing {
		if f.at.Sub(was.at) < retry {
			return
		}
		l.Observe(false)
	}
	l.failed[p.Name] = f
}

// listed are the packs, the oldest first, and all that is kept of them.
func listed(ctx context.Context, from client.Reader, own *Own) ([]v1alpha1.RulePack, []*appsv1.ControllerRevision, error) {
	var all v1alpha1.RulePackList
	revisions, err := own.kept()
	if err = errors.Join(err, from.List(ctx, &all)); err != nil {
		return nil, nil, fmt.Errorf("list RulePacks and what is kept of them: %w", err)
	}
	slices.SortFunc(all.Items, func(a, b v1alpha1.RulePack) int { return Older(&a, &b) })
	return all.Items, revisions, nil
}

// Older is negative where one pack counts before another: it is older, or, of the same second, first by its name.
func Older(a, b *v1alpha1.RulePack) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
}

// holder is what is kept of the revision that a status names; nil where the pack itself holds it.
func holder(p *v1alpha1.RulePack, all []*appsv1.ControllerRevision) (*kept, error) {
	if got, err := Files(p.Spec.Modules).revision(); err == nil && got == p.Status.Revision {
		return nil, nil
	}
	known, _ := keptOf(p, all)
	if k := revisionOf(known, p.Status.Revision); k != nil {
		return k, nil
	}
	return nil, errors.New("it is not kept any more. Correct the source, or roll back to a revision of status.history")
}

// loaded is what a status names: the files of the pack itself where k is nil, else what is kept.
func loaded(p *v1alpha1.RulePack, k *kept) (*InForce, error) {
	files := Files(p.Spec.Modules)
	if k != nil {
		var err error
		if files, err = k.verified(); err != nil {
			return nil, err
		}
	}
	pack, err := files.load(true)
	if err != nil {
		return nil, err
	}
	return &InForce{p.Name, pack.Revision, pack.Checks(), pack}, nil
}

// together are all checks. Who keeps packs sees to it that no two have the same ID; where that went wrong, the older pack counts.
func (l *Loader) together(packs []*InForce) *set {
	out := &set{packs: packs, checks: slices.Clone(l.Base)}
	known := map[string]bool{}
	for _, c := range out.checks {
		known[c.ID] = true
	}
	for _, p := range packs {
		for _, c := range p.Checks {
			if known[c.ID] {
				l.Log.Info("a rule is not asked, because there is another check of its name", "check", c.ID, "rulePack", p.Name)
				continue
			}
			known[c.ID] = true
			out.checks = append(out.checks, c)
		}
	}
	slices.SortFunc(out.checks, func(a, b *policies.Check) int { return strings.Compare(a.ID, b.ID) })
	return out
}
