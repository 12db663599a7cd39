package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies/mesh"
)

const (
	// pageSize is what kubectl asks for: a page of large objects stays below what an API server answers in a second.
	pageSize = 500
	// listers is how many kinds are listed at a time.
	listers = 6
	// A one-shot reader is not the controller that client-go's defaults (5 and 10 a second) are made for.
	queriesPerSecond, queryBurst = 50, 100
)

// TheCluster stands in a Problem for the file of an object that was listed.
const TheCluster = "the cluster"

// ListOptions say how List reads. The zero value is useful.
type ListOptions struct {
	// Namespace is where kinds are listed that may not be listed in all namespaces. "": nowhere.
	Namespace string
	// Evidence says which kinds are read besides those that decide something in a mesh; OnlyEvidence, that these are not.
	Evidence     Evidence
	OnlyEvidence bool
	// Progress, where it is set, is told the objects read so far after every page. Calls do not overlap.
	Progress func(kind string, objects int)
}

// List reads everything that decides in the mesh from a cluster, once. It discovers what is served, then lists each of
// mesh.Kinds in pages, in the newest version that is served. It needs no permission but list.
//
// Kinds that are not served have no objects. Kinds that may not be listed, or cannot be, are Unread; when one is among
// them without which "it is not there" would be a guess, no Namespace is among the Objects: then nothing counts as
// absent, and what depends on it is Unknown. The error is for a cluster that does not answer.
func List(ctx context.Context, cfg *rest.Config, opts ListOptions) (*Inventory, error) {
	cfg = rest.CopyConfig(cfg)
	if cfg.QPS == 0 {
		cfg.QPS, cfg.Burst = queriesPerSecond, queryBurst
	}
	served, err := discover(ctx, cfg, opts.Evidence)
	if err != nil {
		return nil, fmt.Errorf("ask the cluster at %s what it serves: %w", cfg.Host, err)
	}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", cfg.Host, err)
	}
	if opts.OnlyEvidence {
		served = served.evidence()
	}
	l := lister{client: client, options: opts}
	lists := make([]list, len(served.resources))
	for i, r := range served.resources {
		lists[i] = list{resource: r, managed: map[id]managed{}}
	}
	l.run(ctx, lists)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read the cluster at %s: %w", cfg.Host, err)
	}
	out := newInventory()
	out.Unread, out.passed = served.unread, served.passed
	l.author(ctx, out, served.authored)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read the cluster at %s: %w", cfg.Host, err)
	}
	out.take(lists)
	return out, nil
}

// resource is one kind as the cluster serves it.
type resource struct {
	schema.GroupVersionResource
	kind mesh.Kind
	only name // the one object that is read; empty for all there are
}

// key is what no other resource that is read has.
func (r resource) key() sourceKey { return sourceKey{r.GroupResource(), r.only} }

// in asks for what is read of the resource.
func (r resource) in(client dynamic.Interface) dynamic.ResourceInterface {
	all := client.Resource(r.GroupVersionResource)
	if r.only == (name{}) {
		return all
	}
	return all.Namespace(r.only.namespace)
}

// narrow limits a request to what is read. A field selector is what permissions for one name go by.
func (r resource) narrow(opts metav1.ListOptions) metav1.ListOptions {
	if r.only != (name{}) {
		opts.FieldSelector = "metadata.name=" + r.only.name
	}
	return opts
}

func (r resource) unread(why string) Unread {
	if r.only != (name{}) {
		why = r.only.String() + ": " + why
	}
	return Unread{Kind: r.kind.String(), Resource: resourceName(r.kind, r.Group), Why: why, Leaves: leaves(r.kind)}
}

// list is what came of listing one resource.
type list struct {
	resource
	objects  []*mesh.Object
	managed  map[id]managed
	versions map[id]string
	ignored  int
	problems []manifest.Problem
	unread   *Unread
}

type lister struct {
	client  dynamic.Interface
	options ListOptions

	progress sync.Mutex
	objects  int
}

func (l *lister) run(ctx context.Context, lists []list) {
	next := make(chan *list)
	var group sync.WaitGroup
	for range min(listers, len(lists)) {
		group.Go(func() {
			for out := range next {
				l.list(ctx, out)
			}
		})
	}
	for i := range lists {
		next <- &lists[i]
	}
	close(next)
	group.Wait()
}

// list reads one resource in all namespaces, or where that is forbidden in the one namespace of the options.
func (l *lister) list(ctx context.Context, out *list) {
	all := out.in(l.client)
	err := l.pages(ctx, all, out)
	switch {
	case err == nil, apierrors.IsNotFound(err): // gone since it was discovered
		return
	case apierrors.IsForbidden(err) && l.options.Namespace != "" && out.kind.Namespaced() && out.only == (name{}):
		if l.pages(ctx, l.client.Resource(out.GroupVersionResource).Namespace(l.options.Namespace), out) == nil {
			u := out.resource.unread(fmt.Sprintf("it may be listed in namespace %s only", l.options.Namespace))
			out.unread = &u
			return
		}
	}
	u := out.resource.unread(whyNot(err))
	out.unread = &u
}

func whyNot(err error) string {
	var status apierrors.APIStatus
	if apierrors.IsForbidden(err) {
		return "it may not be listed"
	}
	if errors.As(err, &status) {
		return fmt.Sprintf("the API server answered %d: %s", status.Status().Code, status.Status().Message)
	}
	return err.Error()
}

// pages reads page after page. Where the pages grew too old to go on, it starts again and takes everything at once.
func (l *lister) pages(ctx context.Context, from dynamic.ResourceInterface, out *list) error {
	opts := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := from.List(ctx, out.narrow(opts))
		if err != nil {
			out.objects, out.ignored, out.problems = nil, 0, nil
		}
		if apierrors.IsResourceExpired(err) && opts.Limit > 0 {
			opts = metav1.ListOptions{}
			continue
		}
		if err != nil {
			return err
		}
		for i := range page.Items {
			out.add(page.Items[i].Object)
			page.Items[i].Object = nil
		}
		l.report(out, len(page.Items))
		if opts.Continue = page.GetContinue(); opts.Continue == "" || opts.Limit == 0 {
			return nil
		}
	}
}

func (l *lister) report(out *list, n int) {
	if l.options.Progress == nil {
		return
	}
	l.progress.Lock()
	defer l.progress.Unlock()
	l.objects += n
	l.options.Progress(out.kind.String(), l.objects)
}

// add takes one object, which nobody else has seen.
func (out *list) add(content map[string]any) {
	m := managedBy(content)
	version, _, _ := unstructured.NestedString(content, "metadata", "resourceVersion")
	r := out.resource.read(content)
	if r.ignored {
		out.ignored++
	}
	out.problems = append(out.problems, r.problems...)
	if r.object == nil {
		return
	}
	if len(m) > 0 {
		out.managed[idOf(r.object)] = m
	}
	if out.versions == nil {
		out.versions = map[id]string{}
	}
	out.versions[idOf(r.object)] = version
	out.objects = append(out.objects, r.object)
}

// take puts the lists together. The order is that of mesh.Kinds, and within a kind the API server's.
func (i *Inventory) take(lists []list) {
	seen := map[id]bool{}
	for _, l := range lists {
		for _, o := range l.objects {
			// A kind that two groups serve is one kind; the group named first in mesh.Kinds counts.
			if key := idOf(o); !seen[key] {
				seen[key] = true
				i.Objects = append(i.Objects, o)
			}
		}
		for key, m := range l.managed {
			i.managed[key] = m
		}
		for _, o := range l.objects {
			if i.versions[idOf(o)] == "" {
				i.versions[idOf(o)] = l.versions[idOf(o)]
			}
		}
		if l.ignored > 0 {
			i.Ignored[l.GroupVersion().String()+"/"+l.kind.String()] += l.ignored
		}
		i.Problems = append(i.Problems, l.problems...)
		if l.unread != nil {
			i.Unread = append(i.Unread, *l.unread)
		}
	}
	sortUnread(i.Unread)
	if !whole(i.Unread) {
		i.Objects = slices.DeleteFunc(i.Objects, func(o *mesh.Object) bool { return o.Kind == mesh.Namespace })
	}
}
