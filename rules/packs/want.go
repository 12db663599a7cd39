package packs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// wanted is what a RulePack asks for.
type wanted struct {
	files      Files
	revision   string
	source     string // as keptData has it
	rolledBack bool
}

// want is what the pack asks for. The error is *Refused where there is no such thing.
func (o *one) want(ctx context.Context) (*wanted, error) {
	if faults := o.pack.Validate(); len(faults) > 0 {
		r := &Refused{Reason: v1alpha1.ReasonInvalid}
		for _, f := range faults {
			r.Refusals = append(r.Refusals, refused("", f.Field, "it must be %s and is %s. Correct it.", f.Want, f.Got).Refusals...)
		}
		return nil, r
	}
	if back := o.pack.Spec.RollbackTo; back != "" {
		return o.earlier(back)
	}
	w, err := o.source(ctx)
	if err != nil {
		return nil, err
	}
	if w.revision, err = w.files.revision(); err != nil {
		return nil, refused(v1alpha1.ReasonCompileError, wholePack, "the rules are not loaded: %v. Name each file by its path, as in acme/no_latest.rego.", err)
	}
	return w, nil
}

// earlier is a revision that is kept.
func (o *one) earlier(revision string) (*wanted, error) {
	k := revisionOf(o.kept, revision)
	if k == nil {
		var names []string
		for _, k := range o.kept {
			names = append(names, k.Revision)
		}
		return nil, refused(v1alpha1.ReasonRevisionUnknown, "spec.rollbackTo", "there is nothing to roll back to: %s is not kept. Name one of status.history: %s.", revision, strings.Join(names, ", "))
	}
	files, err := k.files()
	if err != nil {
		return nil, refused(v1alpha1.ReasonRevisionUnknown, "spec.rollbackTo", "there is nothing to roll back to: %v. Name another one of status.history.", err)
	}
	return &wanted{files: files, revision: revision, source: k.Source, rolledBack: true}, nil
}

func (o *one) source(ctx context.Context) (*wanted, error) {
	switch s := &o.pack.Spec; {
	case s.ConfigMapRef != nil:
		return o.configMap(ctx, s.ConfigMapRef.Name)
	case s.OCI != nil:
		return o.bundle(ctx, s.OCI)
	default:
		return &wanted{files: s.Modules}, nil
	}
}

func (o *one) configMap(ctx context.Context, name string) (*wanted, error) {
	c := &corev1.ConfigMap{}
	const remedy = "Make it in Waywarden's own namespace, with a key for each file, as in acme.no_latest.rego."
	err := o.Cache.Get(ctx, client.ObjectKey{Namespace: o.Namespace, Name: name}, c)
	if apierrors.IsNotFound(err) {
		return nil, refused(v1alpha1.ReasonSourceUnavailable, "spec.configMapRef", "there are no rules: ConfigMap %s/%s does not exist. %s", o.Namespace, name, remedy)
	}
	if err != nil {
		return nil, err
	}
	files, err := ofConfigMap(c)
	if err != nil {
		return nil, refused(v1alpha1.ReasonSourceUnavailable, "spec.configMapRef", "there are no rules: of ConfigMap %s/%s, %v. %s", o.Namespace, name, err, remedy)
	}
	return &wanted{files: files}, nil
}

// bundle is what a registry has. What was taken from there is kept, and not asked for again: a digest means one thing.
func (o *one) bundle(ctx context.Context, b *v1alpha1.RulePackOCI) (*wanted, error) {
	source := sourceOf(b)
	if i := slices.IndexFunc(o.kept, func(k kept) bool { return k.Source == source }); i >= 0 {
		if files, err := o.kept[i].files(); err == nil {
			return &wanted{files: files, source: source}, nil
		}
	}
	if o.Fetch == nil {
		return nil, refused(v1alpha1.ReasonSourceUnavailable, "spec.oci", "there are no rules: this Waywarden asks no registry. Use modules or configMapRef.")
	}
	within, cancel := context.WithTimeout(ctx, fetchFor)
	defer cancel()
	began := o.Clock.Now()
	files, err := o.Fetch(within, b)
	reason := v1alpha1.ReasonSourceUnavailable
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil:
		o.Took(Fetching, "fetched", o.Clock.Since(began))
		return &wanted{files: files, source: source}, nil
	case errors.Is(err, ErrSignature):
		reason = v1alpha1.ReasonSignatureInvalid
	}
	o.Took(Fetching, reason, o.Clock.Since(began))
	return nil, refused(reason, "spec.oci", "there are no rules: %v. Correct the image or the keys, or see to the registry.", err)
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
