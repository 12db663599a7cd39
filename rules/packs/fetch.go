package packs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
)

// After how long a registry is asked again that did not deliver: each time twice as long.
const (
	fetchAgain  = retry
	fetchLatest = 5 * time.Minute
)

// attempt is what came of asking a registry for a bundle.
type attempt struct {
	source string
	files  Files
	err    *Refused // nil where there are files
	at     time.Time
	wait   time.Duration
}

// due is whether a registry is asked again. A digest means one thing: what was delivered, or refused for what it is, would be so again.
func (a attempt) due(source string, now time.Time) bool {
	return a.source != source || a.err != nil && a.err.Reason == v1alpha1.ReasonSourceUnavailable && now.Sub(a.at) >= a.wait
}

// bundle is what a registry has. What was taken from there is kept, and not asked for again.
func (o *one) bundle(ctx context.Context, b *v1alpha1.RulePackOCI) (*wanted, error) {
	source := sourceOf(b)
	if i := slices.IndexFunc(o.kept, func(k kept) bool { return k.Source == source }); i >= 0 {
		if files, err := o.kept[i].files(); err == nil {
			delete(o.fetched, o.pack.Name)
			return &wanted{files: files, source: source}, nil
		}
	}
	if o.Fetch == nil {
		return nil, refused(v1alpha1.ReasonSourceUnavailable, bundleField, "there are no rules: this Waywarden asks no registry. Use modules or configMapRef.")
	}
	a, tried := o.fetched[o.pack.Name]
	if !tried || a.due(source, o.Clock.Now()) {
		var err error
		if a, err = o.fetch(ctx, b, a); err != nil {
			return nil, err
		}
		o.fetched[o.pack.Name] = a
	}
	if a.err != nil {
		return nil, a.err
	}
	return &wanted{files: a.files, source: source}, nil
}

// fetch asks a registry for a bundle, after an attempt before. The error is that ctx ended.
func (o *one) fetch(ctx context.Context, b *v1alpha1.RulePackOCI, before attempt) (attempt, error) {
	within, cancel := context.WithTimeout(ctx, fetchFor)
	defer cancel()
	began := o.Clock.Now()
	files, err := o.Fetch(within, b)
	if ctx.Err() != nil {
		return attempt{}, ctx.Err()
	}
	a, outcome := attempt{source: sourceOf(b), files: files, at: o.Clock.Now(), wait: fetchAgain}, "fetched"
	if err != nil {
		if !errors.As(err, &a.err) {
			a.err = refused(v1alpha1.ReasonSourceUnavailable, bundleField, "%v", err)
		}
		outcome = a.err.Reason
		if before.source == a.source {
			a.wait = min(2*before.wait, fetchLatest)
		}
	}
	o.Took(Fetching, outcome, o.Clock.Since(began))
	return a, nil
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

// bundleField is what refusals of bundles are about.
const bundleField = "spec.oci"

// FromRegistry fetches bundles from registries, for [KeeperOptions].
func FromRegistry(a bundle.Access) func(context.Context, *v1alpha1.RulePackOCI) (map[string]string, error) {
	return func(ctx context.Context, b *v1alpha1.RulePackOCI) (map[string]string, error) {
		var trusted bundle.Trust
		for i, text := range b.PublicKeys {
			keys, err := bundle.ParseKeys("", []byte(text))
			if err != nil {
				return nil, refused(v1alpha1.ReasonInvalid, fmt.Sprintf("%s.publicKeys[%d]", bundleField, i), "nobody's signature counts: %v.", err)
			}
			trusted.Keys = append(trusted.Keys, keys...)
		}
		opened, err := bundle.Pull(ctx, b.Image, trusted, a)
		if err != nil {
			return nil, &Refused{reasonOf(err), rules.Refusals{{File: bundleField, Message: err.Error()}}}
		}
		return opened.Files, nil
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
