package packs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
)

// After how long a registry is asked again that did not deliver: each time twice as long.
const (
	fetchAgain  = retry
	fetchLatest = 5 * time.Minute
)

// errFetching is for a bundle of which nothing is known yet.
var errFetching = errors.New("the registry is being asked")

// bundle is what a registry has. What was taken from there is kept, verified anew by the keys that are given now, and not asked for
// again. The error is *pending, or *Refused.
func (o *one) bundle(ctx context.Context, b *v1alpha1.RulePackOCI) (*wanted, error) {
	t, err := trust(b)
	if err != nil {
		return nil, err
	}
	for i := range o.kept {
		if k := &o.kept[i]; k.Bundle != nil && k.Bundle.Reference == b.Image && k.wrong == nil {
			if s, err := open(k.Bundle, t); err == nil {
				o.fetches.forget(o.pack.Name)
				return &wanted{files: s.Files, signed: s}, nil
			}
		}
	}
	if o.Fetch == nil {
		return nil, refused(v1alpha1.ReasonSourceUnavailable, bundleField, "there are no rules: this Waywarden asks no registry. Use modules or configMapRef.")
	}
	s, err := o.fetches.ask(ctx, o.pack.Name, sourceOf(b), func(ctx context.Context) (*Signed, error) { return o.Fetch(ctx, b) })
	if errors.Is(err, errFetching) {
		host, _, _ := strings.Cut(b.Image, "/")
		return nil, &pending{Reason: v1alpha1.ReasonFetching, Message: fmt.Sprintf("Registry %s is being asked for %s.", host, b.Image)}
	}
	if err != nil {
		return nil, err
	}
	return &wanted{files: s.Files, signed: s}, nil
}

// fetches asks registries for bundles, beside the Keeper: a registry that does not answer holds up nothing but its own packs.
type fetches struct {
	clock clock.PassiveClock
	took  func(step Step, outcome string, d time.Duration)
	ready func() // is called when there is news

	mu sync.Mutex
	of map[string]*attempt // by pack
}

// attempt is what came of asking a registry for a bundle.
type attempt struct {
	source string
	signed *Signed
	err    error // errFetching until something came, then *Refused; nil where there is a bundle
	stop   context.CancelFunc
	asking bool
	at     time.Time     // when something came
	wait   time.Duration // from then until the registry is asked again
}

// ask is what came of asking for a bundle; it asks, until ctx ends, where nobody has yet or where it is time to. The error is
// errFetching, or *Refused.
func (f *fetches) ask(ctx context.Context, pack, source string, fetch func(context.Context) (*Signed, error)) (*Signed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.of[pack]
	if a != nil && a.source != source {
		a.stop()
		a = nil
	}
	if a == nil {
		a = &attempt{source: source, err: errFetching, wait: fetchAgain / 2}
		f.of[pack] = a
	}
	if a.due(f.clock.Now()) {
		f.start(ctx, a, fetch)
	}
	return a.signed, a.err
}

// due is whether a registry is asked, or asked again. A digest means one thing: what was delivered, or refused for what it is,
// would be so again.
func (a *attempt) due(now time.Time) bool {
	if a.asking || a.err == nil {
		return false
	}
	var r *Refused
	return !errors.As(a.err, &r) || r.Reason == v1alpha1.ReasonSourceUnavailable && now.Sub(a.at) >= a.wait
}

func (f *fetches) start(ctx context.Context, a *attempt, fetch func(context.Context) (*Signed, error)) {
	within, stop := context.WithCancel(ctx)
	a.stop, a.asking = stop, true
	go func() {
		defer stop()
		timed, end := context.WithTimeout(within, fetchFor)
		defer end()
		began := f.clock.Now()
		signed, err := fetch(timed)
		if within.Err() != nil {
			return // nobody wants it any more
		}
		f.mu.Lock()
		a.signed, a.err, a.asking, a.at, a.wait = signed, nil, false, f.clock.Now(), min(2*a.wait, fetchLatest)
		outcome := "fetched"
		if err != nil {
			r := refused(v1alpha1.ReasonSourceUnavailable, bundleField, "%v", err)
			errors.As(err, &r)
			a.signed, a.err, outcome = nil, r, r.Reason
		}
		f.mu.Unlock()
		f.took(Fetching, outcome, f.clock.Since(began))
		f.ready()
	}()
}

// forget drops what is known of a pack's bundle.
func (f *fetches) forget(pack string) {
	f.keep(func(name string) bool { return name != pack })
}

// keep drops what is known of other packs than these.
func (f *fetches) keep(these func(pack string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.of, func(name string, a *attempt) bool {
		if these(name) {
			return false
		}
		a.stop()
		return true
	})
}

// sourceOf names a bundle and whose signature it has to have.
func sourceOf(b *v1alpha1.RulePackOCI) string {
	h := sha256.New()
	fmt.Fprintln(h, b.Image)
	keys := slices.Clone(b.PublicKeys)
	slices.Sort(keys)
	for _, k := range keys {
		fmt.Fprintf(h, "%d %s\n", len(k), k)
	}
	return "oci:" + hex.EncodeToString(h.Sum(nil))
}

// bundleField and rollbackField are what refusals of bundles and of rollbacks are about.
const (
	bundleField   = "spec.oci"
	rollbackField = "spec.rollbackTo"
)

// FromRegistry fetches bundles from registries, for [KeeperOptions].
func FromRegistry(a bundle.Access) func(context.Context, *v1alpha1.RulePackOCI) (*Signed, error) {
	return func(ctx context.Context, b *v1alpha1.RulePackOCI) (*Signed, error) {
		t, err := trust(b)
		if err != nil {
			return nil, err
		}
		d, err := bundle.Fetch(ctx, b.Image, a)
		if err == nil {
			var s *Signed
			if s, err = open(d, t); err == nil {
				return s, nil
			}
		}
		return nil, &Refused{Reason: reasonOf(err), Refusals: rules.Refusals{{File: bundleField, Message: err.Error()}}}
	}
}

func reasonOf(err error) string {
	switch bundle.ReasonOf(err) {
	case bundle.Unsigned:
		return v1alpha1.ReasonSignatureInvalid
	case bundle.Malformed:
		return v1alpha1.ReasonBundleInvalid
	}
	return v1alpha1.ReasonSourceUnavailable
}
