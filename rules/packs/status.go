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

// await writes into the conditions what is waited for. What it returns tells of a preview that is new, once that is written.
func (o *one) await(p *pending) (tell func()) {
	status := &o.pack.Status
	if is := apimeta.FindStatusCondition(status.Conditions, v1alpha1.RulePackReady); o.stands(is, p) {
		o.reason = is.Reason
		return func() {}
	}
	accepted := metav1.Condition{Type: v1alpha1.RulePackAccepted, Status: metav1.ConditionUnknown, Reason: p.Reason, Message: p.Message}
	rest := "Nothing of it is in force yet."
	if status.Revision != "" {
		rest = fmt.Sprintf("Revision %s stays in force until then.", status.Revision)
	}
	ready := accepted
	ready.Type, ready.Message = v1alpha1.RulePackReady, p.Message+"\n"+rest
	if p.Reason == v1alpha1.ReasonActivating || p.Reason == v1alpha1.ReasonPreviewing || p.Reason == v1alpha1.ReasonKeepFailed {
		accepted.Status, accepted.Message = metav1.ConditionTrue, taken
		ready.Status = metav1.ConditionFalse
	}
	o.reason = p.Reason
	old := apimeta.FindStatusCondition(o.was.Conditions, v1alpha1.RulePackReady)
	o.set(accepted)
	o.set(ready)
	return func() {
		if p.Reason == v1alpha1.ReasonKeepFailed && (old == nil || old.Reason != p.Reason) {
			o.Recorder.Eventf(o.pack, nil, corev1.EventTypeWarning, p.Reason, "Keep", "%s", noted(p.Message))
		}
		if now := status.Preview; p.Reason == v1alpha1.ReasonActivating && (o.was.Preview == nil || o.was.Preview.Revision != now.Revision) {
			o.Recorder.Eventf(o.pack, nil, corev1.EventTypeNormal, p.Reason, "Preview", "%s", noted(p.Message))
		}
	}
}

// stands is whether a refusal of the same spec stands until something else is known: a leader that is new asks and judges again what the
// one before has refused, and mostly to the same end.
func (o *one) stands(ready *metav1.Condition, p *pending) bool {
	if ready == nil || ready.Status != metav1.ConditionFalse || ready.ObservedGeneration != o.pack.Generation {
		return false
	}
	onTheWay := ready.Reason == v1alpha1.ReasonPreviewing || ready.Reason == v1alpha1.ReasonActivating
	return !onTheWay && (p.Reason == v1alpha1.ReasonJudging || p.Reason == v1alpha1.ReasonFetching)
}

// sayKept writes into the conditions whether what is kept is what was kept. That of a pack of which nothing is kept says nothing.
func (o *one) sayKept() {
	c := metav1.Condition{Type: v1alpha1.RulePackKept, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonVerified,
		Message: "What is kept is what was put in force."}
	var wrong []string
	for _, k := range o.kept {
		if k.wrong != nil {
			wrong = append(wrong, k.wrong.Error()+".")
		}
	}
	for _, k := range o.others {
		wrong = append(wrong, fmt.Sprintf("ControllerRevision %s claims to be of this RulePack, and Waywarden did not keep it.", k.name()))
	}
	switch {
	case len(wrong) > 0:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonNotVerified
		c.Message = "Somebody wrote what is kept of this RulePack, and it is not used: " + strings.Join(wrong, " ") + " Find out who may write ControllerRevisions there, and delete it."
	case len(o.kept) == 0:
		apimeta.RemoveStatusCondition(&o.pack.Status.Conditions, c.Type)
		return
	}
	o.set(c)
}

// taken is said of a source that holds what can be put in force.
const taken = "It compiles, and its scenarios and tests hold."

// conclude writes the conditions into the status. What it returns tells of what is new, once that is written.
func (o *one) conclude(w *wanted, refusal *Refused) (tell func()) {
	status := &o.pack.Status
	accepted := metav1.Condition{Type: v1alpha1.RulePackAccepted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInForce, Message: taken}
	ready := metav1.Condition{Type: v1alpha1.RulePackReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInForce,
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
	if p := status.Preview; p != nil && p.Revision != status.Revision {
		status.Preview = nil // of what did not come into force
	}
	old := apimeta.FindStatusCondition(o.was.Conditions, v1alpha1.RulePackReady)
	o.set(accepted)
	o.set(ready)
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

// errChanged is that a RulePack is another one than was looked at.
var errChanged = errors.New("the RulePack changed meanwhile")

// announce names in the status what is about to be kept, before it is: what is there and is not named counts as somebody else's, and
// whether anything can be written afterwards is not known. That it is named and is not there does no harm. The error may be errChanged.
func (o *one) announce(ctx context.Context, k kept) error {
	i := slices.IndexFunc(o.was.History, func(h v1alpha1.RulePackRevision) bool {
		return h.Revision == k.Revision && h.Kept == k.name() && h.SignedBy == k.signedBy
	})
	if i >= 0 {
		o.announced = &o.was.History[i]
		return nil
	}
	o.announced = &v1alpha1.RulePackRevision{Revision: k.Revision, Since: metav1.NewTime(o.Clock.Now()), Kept: k.name(), SignedBy: k.signedBy}
	to := o.pack.DeepCopy()
	to.Status = *o.was.DeepCopy()
	to.Status.History = o.withAnnounced(to.Status.History)
	history := slices.Clone(to.Status.History)
	written, err := o.patch(ctx, to)
	switch {
	case err != nil:
		return err
	case !written:
		return errChanged
	}
	o.was.History, o.pack.ResourceVersion = history, to.ResourceVersion
	return nil
}

// withAnnounced is a history that names what was announced, also where it could not be kept: it may be there all the same, and were it taken
// out, each attempt would write the status twice and so bring about the next.
func (o *one) withAnnounced(history []v1alpha1.RulePackRevision) []v1alpha1.RulePackRevision {
	if o.announced == nil {
		return history
	}
	if slices.ContainsFunc(o.kept, func(k kept) bool {
		return k.name() == o.announced.Kept && k.Revision == o.announced.Revision && k.signedBy == o.announced.SignedBy
	}) {
		return history
	}
	history = slices.DeleteFunc(history, func(h v1alpha1.RulePackRevision) bool { return h.Kept == o.announced.Kept })
	history = slices.Insert(history, 0, *o.announced)
	return history[:min(len(history), mostHistory)]
}

// write patches the status where it is another one than is stored.
func (o *one) write(ctx context.Context) (written bool, err error) {
	if equality.Semantic.DeepEqual(o.was, &o.pack.Status) {
		return false, nil
	}
	return o.patch(ctx, o.pack.DeepCopy())
}

// patch writes a status, unless the RulePack changed since it was read.
func (o *one) patch(ctx context.Context, to *v1alpha1.RulePack) (written bool, err error) {
	before := to.DeepCopy()
	before.Status = *o.was
	err = o.Client.Status().Patch(ctx, to, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return false, nil // the next round sees it
	}
	if err != nil {
		return false, fmt.Errorf("write the status: %w", err)
	}
	return true, nil
}

// The API server bounds what it stores: a condition's message (CustomResourceDefinition, 32 KiB), an Event's note
// (k8s.io/kubernetes pkg/apis/core/validation NoteLengthLimit, 1 KiB), and all of it. What rules say may be as long as who wrote them likes.
const (
	longestMessage = 24 << 10
	longestReason  = 4 << 10
	longestNote    = 1000
	longestTitle   = 240
)

// cut is a text of so many bytes at most, and a little more that says that it was cut.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

// summary is every reason, as a condition can hold it.
func summary(r *Refused) string {
	var out []string
	size := 0
	for i, one := range r.Refusals {
		line := cut(one.String(), longestReason)
		if size += len(line) + 1; size > longestMessage-longestReason && i > 0 {
			return strings.Join(out, "\n") + fmt.Sprintf("\nand %d more", len(r.Refusals)-i)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// noted is a text as an Event's note.
func noted(text string) string { return cut(rules.OneLine(text), longestNote) }

// set writes a condition.
func (o *one) set(c metav1.Condition) {
	c.Message, c.ObservedGeneration = cut(c.Message, longestMessage), o.pack.Generation
	apimeta.SetStatusCondition(&o.pack.Status.Conditions, c)
}
