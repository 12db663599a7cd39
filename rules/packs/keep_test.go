package packs

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
)

// keeping is a Keeper that is about to keep the first revision of a pack: it is judged, and previewed.
type keeping struct {
	*Keeper
	client.Client
	t        *testing.T
	revision string
	events   *events.FakeRecorder
}

// newKeeping stores the pack; calls are what else happens when the API server is called.
func newKeeping(t *testing.T, calls interceptor.Funcs) *keeping {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	p := acme()
	p.Spec.Modules = rule(denies)
	revision, err := rule(denies).revision()
	if err != nil {
		t.Fatal(err)
	}
	p.Status.Preview = &v1alpha1.RulePackPreview{Revision: revision, Complete: true}
	k := &keeping{t: t, revision: revision, events: events.NewFakeRecorder(10),
		Client: fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(p).WithObjects(p).WithInterceptorFuncs(calls).Build()}
	k.Keeper = NewKeeper(KeeperOptions{Client: k.Client, Own: &Own{Namespace: "waywarden"}, Recorder: k.events,
		Stored: func() Stored { return Stored{} }, InForce: func(string) *InForce { return nil }})
	pack, err := rule(denies).load(false)
	k.judged["acme"] = judgement{revision: revision, pack: pack}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// round brings the pack up to date once, as it is stored, and returns it as it is then, with what is kept.
func (k *keeping) round() (*v1alpha1.RulePack, []appsv1.ControllerRevision, error) {
	k.t.Helper()
	ctx := k.t.Context()
	var (
		p   v1alpha1.RulePack
		all appsv1.ControllerRevisionList
	)
	read := func() {
		k.t.Helper()
		if err := errors.Join(k.Get(ctx, client.ObjectKey{Name: "acme"}, &p), k.List(ctx, &all)); err != nil {
			k.t.Fatal(err)
		}
	}
	read()
	var revisions []*appsv1.ControllerRevision
	for i := range all.Items {
		revisions = append(revisions, all.Items[i].DeepCopy())
	}
	o := &one{Keeper: k.Keeper, pack: p.DeepCopy(), was: p.Status.DeepCopy()}
	o.kept, o.others = keptOf(&p, revisions)
	k.prove(o.kept)
	err := o.bring(ctx)
	read()
	return &p, all.Items, err
}

// change has somebody write another spec of the pack.
func change(ctx context.Context, c client.Client, to Files) error {
	var p v1alpha1.RulePack
	if err := c.Get(ctx, client.ObjectKey{Name: "acme"}, &p); err != nil {
		return err
	}
	p.Spec.Modules = to
	return c.Update(ctx, &p)
}

// TestKeptThoughTheSpecChanges: whenever somebody writes another spec while a revision is being kept, what was kept is no stranger's, and
// nobody is told that somebody tampered with it.
func TestKeptThoughTheSpecChanges(t *testing.T) {
	other := rule(strings.Replace(denies, "it denies", "it does deny", 1))
	for name, c := range map[string]struct {
		before, after bool // the ControllerRevision is made
		kept          int
	}{
		"before it is kept": {before: true},
		"when it is kept":   {after: true, kept: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var k *keeping
			changed := false
			once := func(ctx context.Context, c client.Client) error {
				if changed {
					return nil
				}
				changed = true
				return change(ctx, c, other)
			}
			k = newKeeping(t, interceptor.Funcs{
				Create: func(ctx context.Context, w client.WithWatch, o client.Object, opts ...client.CreateOption) error {
					err := w.Create(ctx, o, opts...)
					if c.after {
						err = errors.Join(err, once(ctx, w))
					}
					return err
				},
				SubResourcePatch: func(ctx context.Context, w client.Client, sub string, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
					if c.before {
						if err := once(ctx, w); err != nil {
							return err
						}
					}
					return w.SubResource(sub).Patch(ctx, o, patch, opts...)
				}})
			p, all, err := k.round()
			if err != nil || !changed || p.Status.Revision != "" || len(all) != c.kept {
				t.Fatalf("changed: %t, revision %q, %d kept, %v", changed, p.Status.Revision, len(all), err)
			}
			p, _, err = k.round() // the other spec is judged now
			if err != nil {
				t.Fatal(err)
			}
			if is := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.RulePackKept); is != nil && is.Status != metav1.ConditionTrue {
				t.Errorf("Kept is %s: %s", is.Status, is.Message)
			}
			if len(p.Status.History) != c.kept {
				t.Errorf("history: %+v", p.Status.History)
			}
		})
	}
}

// TestCannotKeep: where the API server does not keep a revision, the status says so in its words, and is written once, however often it is
// tried; and it comes into force when it can be kept.
func TestCannotKeep(t *testing.T) {
	may, patches := false, 0
	forbidden := apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "controllerrevisions"}, "", errors.New("nobody may"))
	k := newKeeping(t, interceptor.Funcs{
		Create: func(ctx context.Context, w client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if !may {
				return forbidden
			}
			return w.Create(ctx, o, opts...)
		},
		SubResourcePatch: func(ctx context.Context, w client.Client, sub string, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			patches++
			return w.SubResource(sub).Patch(ctx, o, patch, opts...)
		}})
	var p *v1alpha1.RulePack
	for range 3 {
		var err error
		if p, _, err = k.round(); !errors.Is(err, forbidden) {
			t.Fatalf("%v", err)
		}
	}
	ready, accepted := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.RulePackReady), apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.RulePackAccepted)
	want := "Revision " + k.revision + " cannot be put in force, because it cannot be kept for every replica to load: " + rules.OneLine(forbidden.Error()) + ". " +
		"See that Waywarden may list, watch, create and delete ControllerRevisions in namespace waywarden; it is tried again.\nNothing of it is in force yet."
	if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != v1alpha1.ReasonKeepFailed || cmp.Diff(want, ready.Message) != "" {
		t.Errorf("Ready: %+v", ready)
	}
	if accepted == nil || accepted.Status != metav1.ConditionTrue {
		t.Errorf("Accepted: %+v", accepted)
	}
	if patches != 2 || len(k.events.Events) != 1 {
		t.Errorf("%d patches and %d Events of three attempts", patches, len(k.events.Events))
	}
	may = true
	p, all, err := k.round()
	if err != nil || p.Status.Revision != k.revision || len(all) != 1 || len(p.Status.History) != 1 {
		t.Errorf("revision %q, %d kept, history %+v, %v", p.Status.Revision, len(all), p.Status.History, err)
	}
}
