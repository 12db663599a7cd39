package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/packs"
)

// packs loads the rules of RulePacks that are among what a command looks at, and returns them as checks: of files as they are
// written, of a cluster what is in force. besides are the checks that there are without them. What is refused is a Problem of
// the objects. Where two packs have rules of one group, the one that was read first counts; of a cluster, the older one.
func (in *input) packs(ctx context.Context, e *env, found *objects, besides []*policies.Check) []*policies.Check {
	if len(found.Packs) == 0 {
		return nil
	}
	var out []*policies.Check
	with := *found.Inventory // which is not changed
	with.Problems = slices.Clone(with.Problems)
	for _, p := range inOrder(found.Packs, func(p *v1alpha1.RulePack) bool { return with.Document(packRef(p)) != nil }) {
		document := with.Document(packRef(p))
		pack, err := in.packOf(ctx, e, p, document != nil)
		if err == nil && pack != nil {
			err = packs.Conflicts(pack, slices.Concat(besides, out))
		}
		if err != nil {
			with.Problems = append(with.Problems, refusedPack(p, document, err)...)
		} else if pack != nil {
			out = append(out, pack.Checks()...)
		}
	}
	found.Inventory = &with
	return out
}

// inOrder are packs in the order in which they count: those of files as they were read, then those of the cluster, by their age.
func inOrder(all []*v1alpha1.RulePack, ofFile func(*v1alpha1.RulePack) bool) []*v1alpha1.RulePack {
	var files, cluster []*v1alpha1.RulePack
	for _, p := range all {
		if ofFile(p) {
			files = append(files, p)
		} else {
			cluster = append(cluster, p)
		}
	}
	slices.SortFunc(cluster, packs.Older)
	return append(files, cluster...)
}

func packRef(p *v1alpha1.RulePack) mesh.Ref {
	return mesh.Ref{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.RulePackKind, Name: p.Name}
}

// packOf is the rules of one; nil where a cluster has none of it in force.
func (in *input) packOf(ctx context.Context, e *env, p *v1alpha1.RulePack, ofFile bool) (*rules.Pack, error) {
	switch {
	case ofFile && p.Spec.Modules != nil && p.Spec.RollbackTo == "":
		return packs.Judge(ctx, p)
	case ofFile:
		return nil, errors.New("only the cluster has its files. Name the folder that they come from with --rules, or use the cluster without the file")
	case p.Status.Revision == "":
		return nil, nil
	}
	return packs.Source(p, func(namespace, name string) (*appsv1.ControllerRevision, error) {
		cfg, err := in.cluster(e)
		if err != nil {
			return nil, err
		}
		client, err := kubernetes.NewForConfig(cfg)
		if err != nil {
			return nil, err
		}
		return client.AppsV1().ControllerRevisions(namespace).Get(ctx, name, metav1.GetOptions{})
	})
}

// refusedPack says why the rules of a pack are not asked: each reason where it is written.
func refusedPack(p *v1alpha1.RulePack, d *manifest.Document, err error) []manifest.Problem {
	file := inventory.TheCluster
	if d != nil {
		file = d.File
	}
	var refusals rules.Refusals
	var refused *packs.Refused
	if errors.As(err, &refused) {
		refusals = refused.Refusals
	} else if !errors.As(err, &refusals) {
		out := manifest.Problem{File: file, Field: "spec", Message: fmt.Sprintf("the rules of RulePack %s are not asked: %v.", p.Name, err)}
		if d != nil {
			out.Line, out.Column = d.Position("spec")
		}
		return []manifest.Problem{out}
	}
	var out []manifest.Problem
	for _, r := range refusals {
		field := "spec.modules"
		if p.Spec.Modules[r.File] != "" {
			field = v1alpha1.ModuleField(r.File)
		}
		one := manifest.Problem{File: file, Field: field, Message: fmt.Sprintf("RulePack %s is not applied: %s", p.Name, r)}
		if d != nil {
			one.Line, one.Column = d.TextPosition(field, r.Line, r.Column)
		}
		out = append(out, one)
	}
	return out
}
