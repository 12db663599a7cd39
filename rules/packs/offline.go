package packs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
)

// Judge is the rules of a RulePack that holds its files itself, put to the test as a cluster would. The error is *Refused.
func Judge(ctx context.Context, p *v1alpha1.RulePack) (*rules.Pack, error) {
	return judge(ctx, p.Spec.Modules, false, func() {})
}

// Source is what of a RulePack of a cluster is in force: its own files, or else what the ControllerRevision holds that its
// status names. read reads that one, by namespace and name.
func Source(p *v1alpha1.RulePack, read func(namespace, name string) (*appsv1.ControllerRevision, error)) (*rules.Pack, error) {
	var all []*appsv1.ControllerRevision
	if own, err := Files(p.Spec.Modules).revision(); err != nil || own != p.Status.Revision {
		namespace, name, err := keptIn(p)
		if err != nil {
			return nil, err
		}
		c, err := read(namespace, name)
		if err != nil {
			return nil, fmt.Errorf("read what is in force of it: %w", err)
		}
		all = append(all, c)
	}
	k, err := holder(p, all)
	if err != nil {
		return nil, err
	}
	is, err := loaded(p, k)
	if err != nil {
		return nil, err
	}
	return is.pack, nil
}

// keptIn is where the revision in force is kept, by the status.
func keptIn(p *v1alpha1.RulePack) (namespace, name string, err error) {
	for _, h := range p.Status.History {
		if h.Revision == p.Status.Revision {
			namespace, name, _ = strings.Cut(h.Kept, "/")
			return namespace, name, nil
		}
	}
	return "", "", errors.New("its status does not say where what is in force is kept")
}

// Conflicts is why rules are not asked beside those that there are, because their groups belong to others: to whoever is named first. It is
// *Refused, or nil.
func Conflicts(p *rules.Pack, besides []*policies.Check) error {
	if wrong := conflict(p, baseGroups(besides)); wrong != nil {
		return wrong
	}
	return nil
}
