package packs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
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
	kept   []kept
	owners map[string]string
	reason string // of the condition Ready
}

// bring finds out what is asked for, puts it in force or refuses it, and writes the status.
func (o *one) bring(ctx context.Context) error {
	o.pack = o.pack.DeepCopy()
	o.pack.Status.ObservedGeneration = o.pack.Generation
	var refusal *Refused
	want, err := o.want(ctx)
	if err == nil {
		err = o.putInForce(ctx, want)
	}
	if errors.Is(err, errFetching) {
		if is := apimeta.FindStatusCondition(o.was.Conditions, v1alpha1.RulePackReady); is != nil {
			o.reason = is.Reason
		}
		return nil // which knocks when it knows
	}
	if err != nil && !errors.As(err, &refusal) {
		o.reason = "Error"
		return err
	}
	tell := o.conclude(want, refusal)
	o.pack.Status.History = history(o.kept[:min(len(o.kept), mostHistory)])
	if written, err := o.write(ctx); err != nil || !written {
		return err
	}
	tell()
	return o.prune(ctx)
}

// putInForce makes what is asked for the revision in force. The error is *Refused where it is not taken.
func (o *one) putInForce(ctx context.Context, w *wanted) error {
	status := &o.pack.Status
	k := revisionOf(o.kept, w.revision)
	if status.Revision == w.revision && k != nil {
		if is := o.InForce(o.pack.Name); is == nil || is.Revision != w.revision {
			_, err := o.tested(ctx, w, true) // this replica is about to load it, or cannot
			return err
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
	if status.Revision != w.revision {
		status.Preview = o.preview(ctx, pack)
	}
	if k == nil {
		if err := o.keep(ctx, w, pack); err != nil {
			return err
		}
	}
	status.Revision, status.Count, status.Rules = pack.Revision, int32(len(pack.Rules)), nil
	for _, r := range pack.Rules[:min(len(pack.Rules), 500)] {
		status.Rules = append(status.Rules, v1alpha1.RulePackRule{ID: r.ID, Title: r.Title, Severity: v1alpha1.Severity(r.Severity)})
	}
	status.Groups = groups(pack)
	o.claimed[o.pack.Name] = status.Groups
	return nil
}

// tested is the pack, once it is put to the test. What is kept was, and what was refused is refused again. The error is *Refused.
func (o *one) tested(ctx context.Context, w *wanted, before bool) (*rules.Pack, error) {
	if before {
		pack, err := w.files.load(true)
		var wrong rules.Refusals
		if errors.As(err, &wrong) {
			return nil, &Refused{Reason: v1alpha1.ReasonCompileError, Refusals: wrong}
		}
		return pack, err
	}
	j := o.judged[o.pack.Name]
	if j.revision != w.revision || j.err != nil && j.err.Reason == v1alpha1.ReasonTooSlow && o.Clock.Since(j.at) > slowAgain {
		within, cancel := context.WithTimeout(ctx, judgeFor)
		defer cancel()
		began := o.Clock.Now()
		pack, err := judge(within, w.files, o.busy)
		if ctx.Err() != nil {
			return nil, ctx.Err() // it is about to stop, and has found out nothing
		}
		if j, err = concluded(pack, err); err != nil {
			return nil, fmt.Errorf("judge revision %s: %w", w.revision, err)
		}
		j.revision, j.at = w.revision, began
		outcome := "accepted"
		if j.err != nil {
			outcome = j.err.Reason
		}
		o.Took(Judging, outcome, o.Clock.Since(began))
		if j.err == nil || !j.err.passing {
			o.judged[o.pack.Name] = j
		}
	}
	if j.err != nil {
		return nil, j.err
	}
	return j.pack, nil
}

// preview is what the pack changes among what is stored.
func (o *one) preview(ctx context.Context, pack *rules.Pack) *v1alpha1.RulePackPreview {
	within, cancel := context.WithTimeout(ctx, previewFor)
	defer cancel()
	began := o.Clock.Now()
	out := preview(within, o.Stored(), o.InForce(o.pack.Name), pack)
	outcome := "complete"
	if !out.Complete {
		outcome = "incomplete"
	}
	o.Took(Previewing, outcome, o.Clock.Since(began))
	return out
}

// keep stores a revision, so that every replica can load it.
func (o *one) keep(ctx context.Context, w *wanted, pack *rules.Pack) error {
	number := int64(1)
	if len(o.kept) > 0 {
		number = o.kept[0].object.Revision + 1
	}
	c, err := keep(o.pack, o.Own.Namespace, w.source, w.files, pack, number)
	if err != nil {
		return err
	}
	if err := o.Client.Create(ctx, c); err != nil { // what is kept already is seen in a moment
		if apierrors.IsRequestEntityTooLargeError(err) || strings.Contains(err.Error(), "too large") {
			return refused(v1alpha1.ReasonTooLarge, wholePack, "the rules are not taken: even in gzip they are larger than what an API server stores. Make several packs.")
		}
		return fmt.Errorf("keep revision %s: %w", pack.Revision, err)
	}
	o.kept = slices.Insert(o.kept, 0, kept{keptData{Pack: o.pack.Name, Revision: pack.Revision}, c})
	return nil
}

// conclude writes the conditions into the status. What it returns tells of what is new, once that is written.
func (o *one) conclude(w *wanted, refusal *Refused) (tell func()) {
	status := &o.pack.Status
	accepted := metav1.Condition{Type: v1alpha1.RulePackAccepted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInForce, ObservedGeneration: o.pack.Generation,
		Message: "It compiles, and its scenarios and tests hold."}
	ready := metav1.Condition{Type: v1alpha1.RulePackReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInForce, ObservedGeneration: o.pack.Generation,
		Message: fmt.Sprintf("%d rules are in force, of revision %s.", status.Count, status.Revision)}
	switch {
	case refusal != nil:
		accepted.Status, accepted.Reason, accepted.Message = metav1.ConditionFalse, refusal.Reason, summary(refusal)
		rest := "Nothing of it is in force."
		if status.Revision != "" && (w == nil || w.revision != status.Revision) {
			rest = fmt.Sprintf("The last good revision %s stays in force.", status.Revision)
		}
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, refusal.Reason, rest+"\n"+accepted.Message
	case w.rolledBack:
		accepted.Status, accepted.Reason, accepted.Message = metav1.ConditionUnknown, v1alpha1.ReasonRolledBack, "The source is not looked at while rollbackTo is set."
		ready.Reason, ready.Message = v1alpha1.ReasonRolledBack, fmt.Sprintf("%d rules are in force again, of revision %s, as rollbackTo says.", status.Count, status.Revision)
	}
	o.reason = ready.Reason
	old := apimeta.FindStatusCondition(o.was.Conditions, v1alpha1.RulePackReady)
	apimeta.SetStatusCondition(&status.Conditions, accepted)
	apimeta.SetStatusCondition(&status.Conditions, ready)
	return func() {
		switch {
		case refusal != nil && (old == nil || old.Message != ready.Message):
			o.Recorder.Eventf(o.pack, nil, corev1.EventTypeWarning, refusal.Reason, "Judge", "%s", noted(ready.Message))
			o.Log.Info("a RulePack is refused", "rulePack", o.pack.Name, "reason", refusal.Reason, "message", ready.Message)
		case refusal == nil && o.was.Revision != status.Revision:
			o.Recorder.Eventf(o.pack, nil, corev1.EventTypeNormal, ready.Reason, "Activate", "%s", noted(ready.Message))
			o.Log.Info("a RulePack is in force", "rulePack", o.pack.Name, "revision", status.Revision, "rules", status.Count)
		}
	}
}

// write patches the status where it is another one than is stored.
func (o *one) write(ctx context.Context) (written bool, err error) {
	if equality.Semantic.DeepEqual(o.was, &o.pack.Status) {
		return false, nil
	}
	before := o.pack.DeepCopy()
	before.Status = *o.was
	err = o.Client.Status().Patch(ctx, o.pack.DeepCopy(), client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return false, nil // it changed meanwhile; the next round sees it
	}
	if err != nil {
		return false, fmt.Errorf("write the status: %w", err)
	}
	return true, nil
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

// summary is every reason, as a condition can hold it.
func summary(r *Refused) string {
	const most = 16 << 10
	lines := strings.Split(r.Error(), "\n")
	size := 0
	for i, line := range lines {
		if size += len(line) + 1; size > most && i > 0 {
			return strings.Join(lines[:i], "\n") + fmt.Sprintf("\nand %d more", len(lines)-i)
		}
	}
	return r.Error()
}

// noted is a text as an Event's note, which the API server bounds (k8s.io/kubernetes pkg/apis/core/validation NoteLengthLimit).
func noted(text string) string {
	const most = 1000
	if text = rules.OneLine(text); len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}
