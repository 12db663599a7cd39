package inventory

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory/manifest"
)

// author lists what users wrote for Waywarden itself. Nothing of the mesh depends on them: where they may not be
// listed, everything else stands, and findings are judged without them.
func (l *lister) author(ctx context.Context, out *Inventory, resources []schema.GroupVersionResource) {
	for _, resource := range resources {
		all := l.client.Resource(resource)
		err := out.authorPages(ctx, all)
		if apierrors.IsForbidden(err) && resource.Resource == v1alpha1.ExemptionResource && l.options.Namespace != "" &&
			out.authorPages(ctx, all.Namespace(l.options.Namespace)) == nil {
			out.Unread = append(out.Unread, authoredUnread(resource.Resource, fmt.Sprintf("it may be listed in namespace %s only", l.options.Namespace)))
			continue
		}
		if err != nil && !apierrors.IsNotFound(err) { // gone since it was discovered
			out.Unread = append(out.Unread, authoredUnread(resource.Resource, whyNot(err)))
		}
	}
}

func authoredUnread(resource, why string) Unread {
	u := Unread{Kind: v1alpha1.GuardrailKind, Resource: authoredResource(resource), Why: why,
		Leaves: "Which Guardrails are in force is not known: findings are warned about as if there were none."}
	switch resource {
	case v1alpha1.ExemptionResource:
		u.Kind, u.Leaves = v1alpha1.ExemptionKind, "Which Exemptions are in force is not known: no finding is exempt by them."
	case v1alpha1.WaypointProfileResource:
		u.Kind, u.Leaves = v1alpha1.WaypointProfileKind, "How waypoints are to be made is not known: they are planned as istiod makes them unasked."
	case v1alpha1.RulePackResource:
		u.Kind, u.Leaves = v1alpha1.RulePackKind, "Which rules users bring is not known: those of RulePacks are not asked."
	}
	return u
}

// authorPages takes all or, where a page cannot be read, nothing.
func (i *Inventory) authorPages(ctx context.Context, from dynamic.ResourceInterface) error {
	var (
		opts  = metav1.ListOptions{Limit: pageSize}
		items []map[string]any
	)
	for {
		page, err := from.List(ctx, opts)
		if apierrors.IsResourceExpired(err) && opts.Limit > 0 {
			opts, items = metav1.ListOptions{}, nil
			continue
		}
		if err != nil {
			return err
		}
		for n := range page.Items {
			items = append(items, page.Items[n].Object)
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" || opts.Limit == 0 {
			break
		}
	}
	for _, content := range items {
		i.authorStored(content)
	}
	return nil
}

// authorStored takes one object of a cluster. The CRD lets none be stored that is not well formed; one from before the CRD
// was as it is can be.
func (i *Inventory) authorStored(content map[string]any) {
	o, faults := decodeAuthored(content)
	for _, f := range faults {
		i.Problems = append(i.Problems, manifest.Problem{File: TheCluster, Field: f.field,
			Message: fmt.Sprintf("%s is not applied: %s", objectName(authoredRef(content, "")), f.message)})
	}
	if len(faults) == 0 {
		i.keepAuthored(o)
	}
}
