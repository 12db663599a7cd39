package packs

import (
	"errors"
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
)

// Signed is a bundle of rules that somebody vouches for, and what it takes to verify that again.
type Signed struct {
	*bundle.Delivered
	Files Files
	By    bundle.Key
}

// open verifies what a registry delivered, now or before.
func open(d *bundle.Delivered, t bundle.Trust) (*Signed, error) {
	b, err := d.Open(t)
	if err != nil {
		return nil, err
	}
	return &Signed{Delivered: d, Files: b.Files, By: b.SignedBy}, nil
}

// trust is whose signature counts. The error is *Refused.
func trust(b *v1alpha1.RulePackOCI) (bundle.Trust, error) {
	var out bundle.Trust
	for i, text := range b.PublicKeys {
		keys, err := bundle.ParseKeys("", []byte(text))
		if err != nil {
			return out, refused(v1alpha1.ReasonInvalid, fmt.Sprintf("%s.publicKeys[%d]", bundleField, i), "nobody's signature counts: %v.", err)
		}
		out.Keys = append(out.Keys, keys...)
	}
	return out, nil
}

// verified are the files of the revision, held to its digest and, where it came from a registry, to the signature by the key that the
// status names. The error is for what is not what was kept.
func (k *kept) verified() (Files, error) {
	files, err := k.held()
	if err != nil {
		return nil, fmt.Errorf("ControllerRevision %s is not what was kept there: %w", k.name(), err)
	}
	return files, nil
}

func (k *kept) held() (files Files, err error) {
	switch {
	case k.signedBy == "" && k.Bundle != nil:
		return nil, errors.New("it holds a bundle, and what was kept came from no registry")
	case k.signedBy != "" && k.Bundle == nil:
		return nil, fmt.Errorf("it is not signed, and what was kept was signed by %s", k.signedBy)
	case k.Bundle == nil:
		files, err = unzipped(k.Files)
	default:
		files, err = k.unsealed()
	}
	if err != nil {
		return nil, err
	}
	if got, err := files.revision(); err != nil || got != k.Revision {
		return nil, fmt.Errorf("it does not hold %s, as it says, but %s (%v)", k.Revision, got, err)
	}
	return files, nil
}

// unsealed are the files of a bundle, verified by the key that the status names.
func (k *kept) unsealed() (Files, error) {
	keys, err := bundle.ParseKeys("", []byte(k.Key))
	if err != nil {
		return nil, fmt.Errorf("its key: %w", err)
	}
	keys = slices.DeleteFunc(keys, func(key bundle.Key) bool { return key.Name() != k.signedBy })
	if len(keys) == 0 {
		return nil, fmt.Errorf("it does not hold the key %s, by which it was signed", k.signedBy)
	}
	b, err := k.Bundle.Open(bundle.Trust{Keys: keys})
	if err != nil {
		return nil, err
	}
	return b.Files, nil
}

// again is the revision as what somebody asks for now, by rollbackTo: while spec.oci says whose signature counts, one of those keys has to
// have signed it. The error is *Refused.
func (k *kept) again(p *v1alpha1.RulePack) (*wanted, error) {
	const nothing = "there is nothing to roll back to: "
	files, err := k.verified()
	if err != nil {
		return nil, refused(v1alpha1.ReasonNotVerified, rollbackField, nothing+"%v. Name another one of status.history, and find out who wrote it.", err)
	}
	out := &wanted{files: files, revision: k.Revision, rolledBack: true, shown: true}
	b := p.Spec.OCI
	if b != nil && k.Bundle == nil {
		return nil, refused(v1alpha1.ReasonSignatureInvalid, rollbackField, nothing+"nobody signed %s, and spec.oci says that somebody has to. Name another one of status.history, or take spec.oci out.", k.Revision)
	}
	if b == nil {
		return out, nil
	}
	t, err := trust(b)
	if err != nil {
		return nil, err
	}
	if _, err := k.Bundle.Open(t); err != nil {
		return nil, &Refused{Reason: reasonOf(err), Refusals: rules.Refusals{{File: rollbackField, Message: nothing + err.Error()}}}
	}
	return out, nil
}
