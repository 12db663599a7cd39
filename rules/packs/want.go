package packs

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// wanted is what a RulePack asks for.
type wanted struct {
	files      Files
	revision   string
	signed     *Signed // nil for what comes from no registry
	rolledBack bool
	shown      bool // whether who asks for it was shown at once what it changes
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
		return nil, refused(v1alpha1.ReasonRevisionUnknown, rollbackField, "%s", unknown(revision, o.kept))
	}
	return k.again(o.pack)
}

// unknown says that a revision is not kept, and which are.
func unknown(revision string, all []kept) string {
	var names []string
	for _, k := range all {
		names = append(names, k.Revision)
	}
	return fmt.Sprintf("there is nothing to roll back to: %s is not kept. Name one of status.history: %s.", revision, strings.Join(names, ", "))
}

func (o *one) source(ctx context.Context) (*wanted, error) {
	s := &o.pack.Spec
	if s.OCI == nil {
		o.fetches.forget(o.pack.Name) // of when there was one
	}
	switch {
	case s.ConfigMapRef != nil:
		return o.configMap(s.ConfigMapRef.Name)
	case s.OCI != nil:
		return o.bundle(ctx, s.OCI)
	default:
		return &wanted{files: s.Modules, shown: true}, nil
	}
}

func (o *one) configMap(name string) (*wanted, error) {
	const remedy = "Make it in Waywarden's own namespace, with a key for each file, as in acme.no_latest.rego."
	c, err := o.Own.configMap(name)
	if apierrors.IsNotFound(err) {
		return nil, refused(v1alpha1.ReasonSourceUnavailable, "spec.configMapRef", "there are no rules: ConfigMap %s/%s does not exist. %s", o.Own.Namespace, name, remedy)
	}
	if err != nil {
		return nil, err
	}
	files, err := ofConfigMap(c)
	if err != nil {
		return nil, refused(v1alpha1.ReasonSourceUnavailable, "spec.configMapRef", "there are no rules: of ConfigMap %s/%s, %v. %s", o.Own.Namespace, name, err, remedy)
	}
	return &wanted{files: files}, nil
}
