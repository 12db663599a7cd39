package inventory

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

// item is one object on its way from the API server to the mirror. While a resource is listed there are as many as it has objects,
// so an item has just as much of the metadata as a Reflector asks for.
type item struct {
	*metav1.ObjectMeta // empty, and that of all items: what nobody asks for
	name
	version string
	reading
}

func (i *item) id() name { return i.name }

// GetNamespace, GetName and GetResourceVersion are what a Reflector asks for.
func (i *item) GetNamespace() string { return i.namespace }

// GetName is the object's.
func (i *item) GetName() string { return i.name.name }

// GetResourceVersion is the object's.
func (i *item) GetResourceVersion() string { return i.version }

// GetObjectKind and DeepCopyObject make it a runtime.Object. Nobody writes to it, so it is its own copy.
func (i *item) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject returns i.
func (i *item) DeepCopyObject() runtime.Object { return i }

// feed is the store that a Reflector writes into: it decodes and passes on to the mirror.
type feed struct {
	mirror *mirror
	source *source
	client dynamic.ResourceInterface
	alike  *Alike
	again  chan<- struct{} // asks for rediscovery
	other  *metav1.ObjectMeta

	manager string // of the marks
}

// follow watches a resource until ctx ends or the mirror stops the source.
func (l *Live) follow(ctx context.Context, s *source) {
	ctx, cancel := context.WithCancel(logr.NewContext(ctx, l.options.Log))
	l.mu.Lock()
	s.stop = cancel
	l.mu.Unlock()
	f := feed{mirror: l.mirror, source: s, client: s.in(l.client), alike: l.alike, again: l.again, other: &metav1.ObjectMeta{}, manager: l.options.Manager}
	r := cache.NewReflectorWithOptions(f.listWatch(), nil, f, cache.ReflectorOptions{
		Name: resourceName(s.kind, s.Group), TypeDescription: s.GroupVersionResource.String(), Logger: &l.options.Log, Clock: l.options.Clock,
		// A quarter of what client-go waits at most, so that the mesh is not long out of date when an API server returns.
		Backoff: &wait.Backoff{Duration: 500 * time.Millisecond, Cap: 8 * time.Second, Steps: 5, Factor: 2, Jitter: 0.5},
	})
	// Where a server cannot stream its lists, pages of this size come from etcd, instead of all pods in one answer.
	r.WatchListPageSize = pageSize
	go func() {
		defer cancel()
		r.RunWithContext(ctx)
	}()
}

func (f feed) listWatch() *cache.ListWatch {
	return &cache.ListWatch{ListWithContextFunc: f.list, WatchFuncWithContext: f.watch}
}

// list reads a page, and decodes it before the next one is read.
//
// It always reads what is there now. A Reflector that lists again asks for the version that it knows, which together with
// a page size means exactly that version: without a watch to go on from there, it would list the past for ever.
func (f feed) list(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
	opts.ResourceVersion, opts.ResourceVersionMatch = "", ""
	opts = f.source.narrow(opts)
	page, err := f.client.List(ctx, opts)
	if err != nil {
		f.failed(ctx, err)
		return nil, err
	}
	f.mirror.hear()
	out := &metainternalversion.List{Items: make([]runtime.Object, len(page.Items))}
	out.ResourceVersion, out.Continue, out.RemainingItemCount = page.GetResourceVersion(), page.GetContinue(), page.GetRemainingItemCount()
	items := make([]*item, len(page.Items))
	for i := range page.Items {
		items[i] = f.decode(&page.Items[i])
	}
	clear(page.Items)
	for i, one := range items { // together, so that what is kept does not lie scattered among what is not
		out.Items[i] = f.packed(one)
	}
	return out, nil
}

func (f feed) failed(ctx context.Context, err error) {
	// Pages that grew too old are asked for again by the Reflector.
	if ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return
	}
	if !f.mirror.fail(f.source, err) {
		return
	}
	select {
	case f.again <- struct{}{}:
	default: // somebody has asked already
	}
}

func (f feed) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	w, err := f.client.Watch(ctx, f.source.narrow(opts))
	switch {
	case err == nil:
		f.mirror.stall(f.source, "")
	case ctx.Err() != nil:
	case apierrors.IsForbidden(err):
		f.mirror.stall(f.source, "it may be listed and not watched, so it is listed now and then")
	default:
		f.mirror.stall(f.source, whyNot(err))
	}
	return w, err
}

// decode turns what the API server sent, which is nobody else's, into an item that is not packed yet.
func (f feed) decode(u *unstructured.Unstructured) *item {
	i := &item{ObjectMeta: f.other, name: name{u.GetNamespace(), u.GetName()}, version: u.GetResourceVersion()}
	mark := markOf(f.manager, f.source.kind, u)
	i.reading = f.source.read(u.Object)
	i.mark = mark
	return i
}

// packed is i as it is kept, with nothing left of what the API server sent.
func (f feed) packed(i *item) *item {
	out := *i
	if i.object != nil {
		out.object = f.alike.Packed(i.object)
		out.name = name{out.object.Namespace, out.object.Name} // the same memory
	}
	return &out
}

// Transformer decodes what a streamed list brings, object by object.
func (f feed) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		f.mirror.hear()
		return f.item(obj), nil
	}
}

// item takes what a Reflector passes on: decoded where it comes from a list, raw where it comes from a watch.
func (f feed) item(obj any) *item {
	if i, ok := obj.(*item); ok {
		return i
	}
	return f.packed(f.decode(obj.(*unstructured.Unstructured)))
}

// Add, and the methods below, are cache.ReflectorStore.
func (f feed) Add(obj any) error {
	f.mirror.hear()
	i := f.item(obj)
	f.mirror.put(f.source, i.id(), i.reading)
	return nil
}

// Update does what Add does.
func (f feed) Update(obj any) error { return f.Add(obj) }

// Delete removes an object. Its last state, which obj is, does not matter.
func (f feed) Delete(obj any) error {
	f.mirror.hear()
	o := obj.(metav1.Object)
	f.mirror.remove(f.source, name{o.GetNamespace(), o.GetName()})
	return nil
}

// Replace takes a complete list.
func (f feed) Replace(list []any, _ string) error {
	f.mirror.hear()
	items := make([]*item, len(list))
	for i, obj := range list {
		items[i] = f.item(obj)
	}
	f.mirror.replace(f.source, items)
	return nil
}

// Resync has nothing to do: there is no queue.
func (f feed) Resync() error { return nil }

// Bookmark is a sign of life, about once a minute where nothing happens.
func (f feed) Bookmark(string) error {
	f.mirror.hear()
	return nil
}
