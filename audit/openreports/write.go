package openreports

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/audit/ledger"
)

// ErrNotServed is that the cluster has none of the APIs: their CRDs are not installed.
var ErrNotServed = errors.New("the cluster serves neither openreports.io/v1alpha1 nor wgpolicyk8s.io/v1alpha2. Install the CRDs of one (the chart's value audit.reports.crds), or set --reports=none")

// Served is the first of the APIs that a cluster serves; ErrNotServed where it serves none.
func Served(cfg *rest.Config, apis ...API) (API, error) {
	client, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return API{}, fmt.Errorf("make a client: %w", err)
	}
	for _, api := range apis {
		list, err := client.ServerResourcesForGroupVersion(api.String())
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return API{}, fmt.Errorf("ask whether %s is served: %w", api, err)
		}
		kinds := map[string]bool{}
		for _, r := range list.APIResources {
			kinds[r.Kind] = true
		}
		if kinds[api.namespaced] && kinds[api.cluster] {
			return api, nil
		}
	}
	return API{}, ErrNotServed
}

// Writer writes one object for each namespace, and one for what lies in none, when it is another one than was written.
type Writer struct {
	client  dynamic.Interface
	options Options

	mu      sync.Mutex
	written map[string]string // digests, by namespace
}

// NewWriter writes by an API that the cluster serves.
func NewWriter(cfg *rest.Config, o Options) (*Writer, error) {
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", cfg.Host, err)
	}
	return &Writer{client: client, options: o, written: map[string]string{}}, nil
}

func (w *Writer) at(namespace string) dynamic.ResourceInterface {
	all := w.client.Resource(w.options.API.resource(namespace))
	if namespace == "" {
		return all
	}
	return all.Namespace(namespace)
}

// Restore reads into a Ledger what is stored, and takes note of it, so that it is not written again while it is the same.
// unread is what was stored and is no report of ours; everything else was read all the same. The error is for an API server
// that does not say what is stored.
func (w *Writer) Restore(ctx context.Context, l *ledger.Ledger) (unread, err error) {
	stored, err := w.stored(ctx)
	if err != nil {
		return nil, err
	}
	var wrong []error
	for i := range stored {
		p, err := Restore(&stored[i])
		if err != nil {
			wrong = append(wrong, err)
		}
		if p != nil {
			l.Restore(p)
		}
	}
	w.note(stored)
	return errors.Join(wrong...), nil
}

// Check looks at what is stored, so that what somebody has changed or deleted is written again.
func (w *Writer) Check(ctx context.Context) error {
	stored, err := w.stored(ctx)
	if err == nil {
		w.note(stored)
	}
	return err
}

func (w *Writer) note(stored []unstructured.Unstructured) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.written)
	for i := range stored {
		w.written[stored[i].GetNamespace()] = storedDigest(&stored[i])
	}
}

// storedDigest is what is written in an object about itself, where that is still true.
func storedDigest(u *unstructured.Unstructured) string {
	said := u.GetAnnotations()[digestOf]
	results, _, err := unstructured.NestedSlice(u.Object, "results")
	n, ok := u.GetAnnotations()[countOf]
	if err != nil || !ok || n != fmt.Sprint(len(results)) {
		return ""
	}
	return said
}

// stored are the objects of ours that there are.
func (w *Writer) stored(ctx context.Context) ([]unstructured.Unstructured, error) {
	var out []unstructured.Unstructured
	for _, namespace := range []string{"any", ""} {
		resource := w.options.API.resource(namespace)
		opts := metav1.ListOptions{LabelSelector: managedBy + "=" + Source, Limit: 50} // each may have a quarter of a megabyte
		for {
			list, err := w.client.Resource(resource).List(ctx, opts)
			if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) {
				return nil, ErrNotServed
			}
			if err != nil {
				return nil, fmt.Errorf("read the reports that are stored: %w", err)
			}
			for _, u := range list.Items {
				if u.GetName() == Name {
					out = append(out, u)
				}
			}
			if opts.Continue = list.GetContinue(); opts.Continue == "" {
				break
			}
		}
	}
	return out, nil
}

// Outcome is what became of an object that was to be written.
type Outcome string

// The outcomes.
const (
	Unchanged Outcome = "unchanged"
	Written   Outcome = "written"
	Deleted   Outcome = "deleted"
	Smaller   Outcome = "smaller" // written with fewer results, because the API server took no more
	Failed    Outcome = "failed"
)

// smallest is how small an object is made before it is given up.
const smallest = 8 << 10

// Write writes the object for a place if it is not what is stored already; one of which there is nothing to say is deleted.
// An object that the API server refuses for its size is written with fewer results. ErrNotServed is that the CRDs are gone.
func (w *Writer) Write(ctx context.Context, p *ledger.Place, unseen Unseen) (Outcome, error) {
	// What could not be looked at is always told somewhere: in the object for what lies in no namespace.
	if len(p.Open)+len(p.Resolved)+len(p.Unlisted)+p.Failed+p.Passed == 0 && (p.Namespace != "" || unseen.None()) {
		return w.delete(ctx, p.Namespace)
	}
	o := w.options
	o.Unseen = unseen
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	outcome := Written
	whole := Render(p, o)
	digest := whole.GetAnnotations()[digestOf]
	if w.is(p.Namespace, digest) {
		return Unchanged, nil
	}
	for object := whole; ; object = Render(p, o) {
		// What stands for the whole is noted of the smaller one too: it is not tried again until something changes.
		a := object.GetAnnotations()
		a[digestOf] = digest
		object.SetAnnotations(a)
		_, err := w.at(p.Namespace).Apply(ctx, Name, object, metav1.ApplyOptions{FieldManager: Source, Force: true})
		switch {
		case err == nil:
			w.wrote(p.Namespace, digest)
			return outcome, nil
		case tooLarge(err) && o.MaxBytes > smallest:
			o.MaxBytes, outcome = o.MaxBytes/2, Smaller
			continue
		case apierrors.IsNotFound(err) && !namespaceGone(err), apimeta.IsNoMatchError(err):
			return Failed, ErrNotServed
		case namespaceGone(err):
			return Deleted, nil // it takes its report along
		}
		return Failed, fmt.Errorf("write %s %s/%s: %w", o.API.kind(p.Namespace), p.Namespace, Name, err)
	}
}

// tooLarge is whether the API server, or etcd behind it, takes no object of this size.
func tooLarge(err error) bool {
	return apierrors.IsRequestEntityTooLargeError(err) || strings.Contains(err.Error(), "request is too large") || strings.Contains(err.Error(), "trying to send message larger than max")
}

// namespaceGone is whether the object's namespace does not exist any more, or is about to go.
func namespaceGone(err error) bool {
	if apierrors.HasStatusCause(err, "NamespaceTerminating") {
		return true
	}
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

func (w *Writer) delete(ctx context.Context, namespace string) (Outcome, error) {
	if !w.has(namespace) {
		return Unchanged, nil
	}
	if err := w.at(namespace).Delete(ctx, Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return Failed, fmt.Errorf("delete %s %s/%s: %w", w.options.API.kind(namespace), namespace, Name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.written, namespace)
	return Deleted, nil
}

func (w *Writer) is(namespace, digest string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written[namespace] == digest
}

func (w *Writer) has(namespace string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.written[namespace]
	return ok
}

func (w *Writer) wrote(namespace, digest string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written[namespace] = digest
}
