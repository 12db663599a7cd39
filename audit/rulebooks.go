package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
)

// Rulebooks keeps the Rulebook of the Guardrails and Exemptions that a cluster holds, in every replica. A cluster without
// their CRDs is not judged: Ready says so.
type Rulebooks struct {
	cache   cache.Cache
	options RuleOptions
	log     logr.Logger

	mu      sync.Mutex // one compiles at a time
	listed  atomic.Bool
	current atomic.Pointer[Authored]
}

// RuleOptions say what Rulebooks are compiled for.
type RuleOptions struct {
	// MaxExemption is how far ahead an Exemption may end; 0 means decide.DefaultMaxDuration.
	MaxExemption time.Duration
	// Checks are all checks there are, sorted by ID; nil while that is not known. When they are others, [Rulebooks.Renew] is
	// called.
	Checks func() []*policies.Check
}

// Authored is what users wrote for Waywarden itself, and the Rulebook that it makes. It is immutable.
type Authored struct {
	Guardrails []*v1alpha1.Guardrail
	Exemptions []*v1alpha1.Exemption
	Profiles   []*v1alpha1.WaypointProfile
	Rulebook   *decide.Rulebook
	Problems   []decide.Problem
}

// FollowRules prepares to follow Guardrails and Exemptions by a cache whose scheme knows them.
func FollowRules(c cache.Cache, o RuleOptions, log logr.Logger) *Rulebooks {
	return &Rulebooks{cache: c, options: o, log: log}
}

// NeedLeaderElection is false: every replica judges.
func (r *Rulebooks) NeedLeaderElection() bool { return false }

// Start follows until ctx ends. The error is for a cache that cannot watch what it should.
func (r *Rulebooks) Start(ctx context.Context) error {
	var registered []toolscache.ResourceEventHandlerRegistration
	for _, o := range []client.Object{&v1alpha1.Guardrail{}, &v1alpha1.Exemption{}, &v1alpha1.WaypointProfile{}} {
		informer, err := r.cache.GetInformer(ctx, o)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch what users write for Waywarden: %w. Install the CRDs of the chart", err)
		}
		changed := func() { r.compile(ctx) }
		handler, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { changed() }, DeleteFunc: func(any) { changed() },
			UpdateFunc: func(was, is any) {
				// Writing a status makes an event too, and no other Rulebook.
				if was.(client.Object).GetGeneration() != is.(client.Object).GetGeneration() {
					changed()
				}
			},
		})
		if err != nil {
			return fmt.Errorf("watch Guardrails and Exemptions: %w", err)
		}
		registered = append(registered, handler)
	}
	for _, h := range registered {
		if !toolscache.WaitForCacheSync(ctx.Done(), h.HasSynced) {
			return nil
		}
	}
	r.listed.Store(true)
	r.compile(ctx) // where there are none, no event came
	<-ctx.Done()
	return nil
}

// Renew compiles anew, for other checks. Before everything was read once it does nothing: that will be done with them.
func (r *Rulebooks) Renew(ctx context.Context) {
	if r.listed.Load() {
		r.compile(ctx)
	}
}

// compile makes the Rulebook of what the cache holds. Events come one after another, and the last one sees everything.
func (r *Rulebooks) compile(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	checks := r.options.Checks()
	if checks == nil {
		return // whoever says which there are calls Renew
	}
	var guardrails v1alpha1.GuardrailList
	var exemptions v1alpha1.ExemptionList
	var profiles v1alpha1.WaypointProfileList
	if err := errors.Join(r.cache.List(ctx, &guardrails), r.cache.List(ctx, &exemptions), r.cache.List(ctx, &profiles)); err != nil {
		if ctx.Err() == nil {
			r.log.Error(err, "Guardrails and Exemptions cannot be read, so those that were read before stay in force")
		}
		return
	}
	next := &Authored{}
	for i := range guardrails.Items {
		next.Guardrails = append(next.Guardrails, &guardrails.Items[i])
	}
	for i := range exemptions.Items {
		next.Exemptions = append(next.Exemptions, &exemptions.Items[i])
	}
	for i := range profiles.Items {
		next.Profiles = append(next.Profiles, &profiles.Items[i])
	}
	next.Rulebook, next.Problems = decide.New(decide.Options{MaxDuration: r.options.MaxExemption, Checks: checks}, next.Guardrails, next.Exemptions)
	r.current.Store(next)
}

// Current is what is in force; nil before everything was read once. It waits for nobody.
func (r *Rulebooks) Current() *Authored { return r.current.Load() }

// Rulebook is the one in force; nil before everything was read once: by an empty one everything would be admitted.
func (r *Rulebooks) Rulebook() *decide.Rulebook {
	if c := r.current.Load(); c != nil {
		return c.Rulebook
	}
	return nil
}

// Checks are those of the Rulebook in force; nil before there is one.
func (r *Rulebooks) Checks() []*policies.Check {
	if c := r.current.Load(); c != nil {
		return c.Rulebook.Catalog().Checks()
	}
	return nil
}

// Ready is nil once everything was read.
func (r *Rulebooks) Ready() error {
	if r.current.Load() == nil {
		return errors.New("the rules are not known: Guardrails, Exemptions or RulePacks have not been read yet")
	}
	return nil
}
