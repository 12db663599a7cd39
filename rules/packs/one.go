package packs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
)

// one brings one RulePack up to date.
type one struct {
	*Keeper
	pack   *v1alpha1.RulePack // with the status that is to be
	was    *v1alpha1.RulePackStatus
	kept   []kept // as the status says
	others []kept // what claims to be kept, and of which the status says nothing
	owners map[string]string
	reason string // of the condition Ready
	// announced is what was named in the status before it was kept, and unkept is why it could not be.
	announced *v1alpha1.RulePackRevision
	unkept    error
}

// bring finds out what is asked for, puts it in force or refuses it, and writes the status.
func (o *one) bring(ctx context.Context) error {
	o.pack = o.pack.DeepCopy()
	o.pack.Status.ObservedGeneration = o.pack.Generation
	var (
		refusal *Refused
		waits   *pending
	)
	want, err := o.want(ctx)
	if err == nil {
		err = o.putInForce(ctx, want)
	}
	if errors.Is(err, errChanged) {
		o.reason = v1alpha1.ReasonActivating
		return nil // the next round sees it
	}
	if err != nil && !errors.As(err, &refusal) && !errors.As(err, &waits) {
		o.reason = "Error"
		return err
	}
	var tell func()
	if waits != nil {
		tell = o.await(waits)
	} else {
		tell = o.conclude(want, refusal)
	}
	o.sayKept()
	o.pack.Status.History = o.withAnnounced(history(o.kept[:min(len(o.kept), mostHistory)]))
	if written, err := o.write(ctx); err != nil || !written {
		return errors.Join(o.unkept, err)
	}
	tell()
	return errors.Join(o.unkept, o.prune(ctx))
}

// putInForce makes what is asked for the revision in force. The error is *Refused where it is not taken, and *pending where that is not
// known yet.
func (o *one) putInForce(ctx context.Context, w *wanted) error {
	status := &o.pack.Status
	k := revisionOf(o.kept, w.revision)
	if k != nil && k.wrong != nil {
		k = nil // and it is kept anew
	}
	if status.Revision == w.revision && k != nil {
		if is := o.InForce(o.pack.Name); is == nil || is.Revision != w.revision {
			var waits *pending
			if _, err := o.tested(ctx, w, true); !errors.As(err, &waits) {
				return err // this replica is about to load it, or cannot
			}
			return nil
		}
		delete(o.judged, o.pack.Name)
		return nil
	}
	pack, err := o.tested(ctx, w, k != nil)
	if err != nil {
		return err
	}
	if wrong := conflict(pack, o.owners); wrong != nil {
		return wrong
	}
	if wrong := given(pack, o.Stored().Parameters); wrong != nil {
		return wrong
	}
	var to *appsv1.ControllerRevision
	if k == nil {
		if to, err = o.toKeep(w); err != nil {
			return err
		}
	}
	if status.Revision != w.revision {
		if err := o.previewed(ctx, w, pack); err != nil {
			return err
		}
	}
	if to != nil {
		if err := o.keep(ctx, w, to); err != nil {
			return err
		}
	}
	status.Revision, status.Count, status.Rules = pack.Revision, int32(len(pack.Rules)), nil
	for _, r := range pack.Rules[:min(len(pack.Rules), 500)] {
		status.Rules = append(status.Rules, v1alpha1.RulePackRule{ID: r.ID, Title: cut(r.Title, longestTitle), Severity: v1alpha1.Severity(r.Severity)})
	}
	status.Groups = groups(pack)
	o.claimed[o.pack.Name] = status.Groups
	return nil
}

// preview is what the pack changes among what is stored.
func (o *one) preview(ctx context.Context, pack *rules.Pack) *v1alpha1.RulePackPreview {
	within, cancel := context.WithTimeout(ctx, previewFor)
	defer cancel()
	began := o.Clock.Now()
	out := preview(within, o.Stored(), o.InForce(o.pack.Name), pack)
	out.At = metav1.NewTime(o.Clock.Now()) // it is shown from now on
	outcome := "complete"
	if !out.Complete {
		outcome = "incomplete"
	}
	o.Took(Previewing, outcome, o.Clock.Since(began))
	return out
}

// toKeep is the ControllerRevision that is to hold what is asked for. The error is *Refused where none can.
func (o *one) toKeep(w *wanted) (*appsv1.ControllerRevision, error) {
	number := int64(1)
	if len(o.kept) > 0 {
		number = max(1, o.kept[0].object.Revision+1) // 1 where somebody wrote the last number that there is
	}
	c, err := keep(o.pack, o.Own.Namespace, w, number)
	if err != nil {
		return nil, err
	}
	if n := len(c.Data.Raw); n > mostStored {
		return nil, tooLarge("kept in gzip,", n)
	}
	return c, nil
}

// keep stores a revision, so that every replica can load it. The error is *Refused where it is too large, *pending where the API server
// does not take it, and errChanged.
func (o *one) keep(ctx context.Context, w *wanted, c *appsv1.ControllerRevision) error {
	is := kept{keptData: keptData{Pack: o.pack.Name, Revision: w.revision}, object: c}
	if w.signed != nil {
		is.signedBy = w.signed.By.Name()
	}
	if err := o.announce(ctx, is); err != nil {
		return err
	}
	err := o.Client.Create(ctx, c)
	if apierrors.IsAlreadyExists(err) {
		c, err = o.instead(ctx, c)
	}
	if err != nil {
		return o.cannotKeep(is, err)
	}
	o.made = append(o.made, made{c, o.Clock.Now()})
	is.object = c
	name := is.name()
	same := func(k kept) bool { return k.name() == name }
	o.kept, o.others = slices.Insert(slices.DeleteFunc(o.kept, same), 0, is), slices.DeleteFunc(o.others, same)
	return nil
}

// cannotKeep is what becomes of a revision that the API server does not take.
func (o *one) cannotKeep(k kept, err error) error {
	if apierrors.IsRequestEntityTooLargeError(err) || strings.Contains(err.Error(), "too large") { // an etcd that takes less
		return tooLarge("kept in gzip,", len(k.object.Data.Raw))
	}
	o.unkept = fmt.Errorf("keep revision %s: %w", k.Revision, err)
	return &pending{v1alpha1.ReasonKeepFailed, fmt.Sprintf("Revision %s cannot be put in force, because it cannot be kept for every replica to load: %s. "+
		"See that Waywarden may list, watch, create and delete ControllerRevisions in namespace %s; it is tried again.", k.Revision, strings.TrimRight(rules.OneLine(err.Error()), "."), k.object.Namespace)}
}

// instead keeps a revision where something of its name is already: the same, of when its status could not be written, or what somebody
// else put there, which goes.
func (o *one) instead(ctx context.Context, c *appsv1.ControllerRevision) (*appsv1.ControllerRevision, error) {
	there := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name}}
	var only []client.DeleteOption
	for _, k := range slices.Concat(o.kept, o.others) {
		if k.object.Name == c.Name {
			there, only = k.object, []client.DeleteOption{client.Preconditions{UID: &k.object.UID}}
		}
	}
	if bytes.Equal(there.Data.Raw, c.Data.Raw) {
		return there, nil
	}
	const what = "was not kept by Waywarden, and is replaced"
	o.Log.Info("a ControllerRevision "+what, "rulePack", o.pack.Name, "controllerRevision", c.Namespace+"/"+c.Name)
	o.Recorder.Eventf(o.pack, nil, corev1.EventTypeWarning, v1alpha1.ReasonNotVerified, "Keep", "ControllerRevision %s/%s %s. Find out who may write ControllerRevisions there.", c.Namespace, c.Name, what)
	if err := o.Client.Delete(ctx, there, only...); client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	return c, o.Client.Create(ctx, c)
}

// prune deletes what is kept and is too old: never what is in force, nor what is to be again.
func (o *one) prune(ctx context.Context) error {
	left := earlier + 1
	for i := range o.kept {
		k := &o.kept[i]
		if left--; left >= 0 || k.Revision == o.pack.Status.Revision || k.Revision == o.pack.Spec.RollbackTo || k.Revision == o.was.Revision {
			continue
		}
		if err := o.Client.Delete(ctx, k.object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete revision %s, which is old: %w", k.Revision, err)
		}
	}
	return nil
}
