package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// StatusOptions say what Statuses writes about.
type StatusOptions struct {
	Client client.Client
	// Authored is what is in force; nil while that is not known.
	Authored func() *Authored
	// Latest is what the audit of everything that is stored came to last; nil before the first.
	Latest func() *Tallied
	// Interval is how often it looks whether something has changed; 0 means ten seconds.
	Interval time.Duration
	// InForce, where it is set, is the condition of that name for every Guardrail; nil while nobody knows.
	InForce func() *metav1.Condition
	// Unprovided is why no waypoint is made for Guardrails with mode Provision; "" where they are.
	Unprovided string
	Clock      clock.WithTicker // nil is the machine's
}

// ConditionInForce is the condition of Guardrails that says whether admission was shown to be in force: without that they
// demand nothing of anybody.
const ConditionInForce = "AdmissionInForce"

// ConditionProvided is the condition of Guardrails with mode Provision that says whether waypoints are made for them.
const ConditionProvided = "WaypointsProvided"

// Stock is what is found of everything that is stored.
type Stock struct {
	// Found are the findings, and what is done about each. It is for whoever is told, while they are: the next audit writes there.
	Found      iter.Seq2[*policies.Finding, *decide.Ruling]
	Exemptions []decide.Standing
}

// Statuses writes into Guardrails and Exemptions what has become of them: what a Guardrail names and selects, and what an
// Exemption excepts. One replica runs it, the leader.
//
// What is excepted it knows from the audit; what Guardrails and Exemptions say that the audit has not seen yet, it waits for.
type Statuses struct {
	StatusOptions
}

const defaultStatusInterval = 10 * time.Second

// NewStatuses prepares to write.
func NewStatuses(o StatusOptions) *Statuses {
	if o.Interval <= 0 {
		o.Interval = defaultStatusInterval
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Statuses{StatusOptions: o}
}

// NeedLeaderElection is true: two writers would only repeat one another.
func (s *Statuses) NeedLeaderElection() bool { return true }

// Start writes until ctx ends. What cannot be written is tried again.
func (s *Statuses) Start(ctx context.Context) error {
	ticker := s.Clock.NewTicker(s.Interval)
	defer ticker.Stop()
	for {
		if err := s.once(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "the status of Guardrails and Exemptions is not up to date; it is tried again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// once brings every status up to date.
func (s *Statuses) once(ctx context.Context) error {
	rules, latest := s.Authored(), s.Latest()
	if rules == nil || latest == nil || latest.Rules != rules {
		return nil
	}
	snapshot, standings := latest.Snapshot, latest.Standings
	var inForce *metav1.Condition
	if s.InForce != nil {
		inForce = s.InForce()
	}
	var errs []error
	for _, g := range rules.Guardrails {
		errs = append(errs, s.write(ctx, g, s.guardrailStatus(g, rules, snapshot, inForce)))
	}
	byName := map[client.ObjectKey]decide.Standing{}
	for _, st := range standings {
		byName[client.ObjectKey{Namespace: st.Exemption.Namespace, Name: st.Exemption.Name}] = st
	}
	for _, e := range rules.Exemptions {
		st, ok := byName[client.ObjectKeyFromObject(e)]
		errs = append(errs, s.write(ctx, e, exemptionStatus(e, rules, st, ok)))
	}
	return errors.Join(errs...)
}

// write patches a status where it is another one than is stored; change makes it. judged is the object as it was judged:
// its status is older than what was written since, which makes no other Rulebook.
func (s *Statuses) write(ctx context.Context, judged client.Object, change func(client.Object)) error {
	o := judged.DeepCopyObject().(client.Object)
	if err := s.Client.Get(ctx, client.ObjectKeyFromObject(judged), o); err != nil {
		return client.IgnoreNotFound(err)
	}
	if o.GetGeneration() != judged.GetGeneration() {
		return nil // it changed meanwhile; the next round sees it
	}
	before := o.DeepCopyObject().(client.Object)
	change(o)
	if equality.Semantic.DeepEqual(before, o) {
		return nil
	}
	// The resourceVersion is that of what was judged: a status of an older spec must not be written over a newer one.
	err := s.Client.Status().Patch(ctx, o, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it changed meanwhile; the next round sees it
	}
	if err != nil {
		return fmt.Errorf("write the status of %s %s: %w", o.GetObjectKind().GroupVersionKind().Kind, client.ObjectKeyFromObject(o), err)
	}
	return nil
}

func (s *Statuses) guardrailStatus(g *v1alpha1.Guardrail, rules *Authored, snapshot *mesh.Snapshot, inForce *metav1.Condition) func(client.Object) {
	ids := []string{}
	for _, c := range rules.Rulebook.Catalog().Checks() {
		ids = append(ids, c.ID)
	}
	checks, namespaces, ok := rules.Rulebook.Reach(g.Name, snapshot, ids)
	return func(o client.Object) {
		status := &o.(*v1alpha1.Guardrail).Status
		condition := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "InForce", ObservedGeneration: g.Generation,
			Message: fmt.Sprintf("It names %d checks and selects %d namespaces.", checks, namespaces)}
		if !ok {
			condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, "Invalid", rules.problemOf(v1alpha1.GuardrailKind, "", g.Name)
		}
		status.Checks, status.Namespaces = int32(checks), int32(namespaces)
		apimeta.SetStatusCondition(&status.Conditions, condition)
		if inForce != nil {
			condition := *inForce
			condition.ObservedGeneration = g.Generation
			apimeta.SetStatusCondition(&status.Conditions, condition)
		}
		s.provided(g, status)
	}
}

// provided says of a Guardrail that asks for waypoints to be made whether they are: without that it is as if it said Observe.
func (s *Statuses) provided(g *v1alpha1.Guardrail, status *v1alpha1.GuardrailStatus) {
	if g.Spec.Waypoints == nil || g.Spec.Waypoints.Mode != v1alpha1.ProvisionWaypoints {
		apimeta.RemoveStatusCondition(&status.Conditions, ConditionProvided)
		return
	}
	condition := metav1.Condition{Type: ConditionProvided, Status: metav1.ConditionTrue, Reason: "Provided", ObservedGeneration: g.Generation,
		Message: "Waypoints are made for the policies that need one."}
	if s.Unprovided != "" {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, "Disabled", s.Unprovided
	}
	apimeta.SetStatusCondition(&status.Conditions, condition)
}

func exemptionStatus(e *v1alpha1.Exemption, rules *Authored, st decide.Standing, ok bool) func(client.Object) {
	return func(o client.Object) {
		status := &o.(*v1alpha1.Exemption).Status
		condition := metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: string(st.State), ObservedGeneration: e.Generation,
			Message: fmt.Sprintf("It excepts %d findings.", st.Matched)}
		if f, wrong := st.Finding(); ok && wrong {
			condition.Message = f.Message + " " + f.Remedy
		}
		switch {
		case !ok:
			condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, "Invalid", rules.problemOf(v1alpha1.ExemptionKind, e.Namespace, e.Name)
		case st.State == v1alpha1.StateExpired, st.State == v1alpha1.StateTooLong:
			condition.Status = metav1.ConditionFalse
		}
		status.State, status.Matched = st.State, int32(st.Matched)
		apimeta.SetStatusCondition(&status.Conditions, condition)
	}
}

// problemOf is what keeps a Guardrail or an Exemption from being applied.
func (a *Authored) problemOf(kind, namespace, name string) string {
	for _, p := range a.Problems {
		if p.Object.Kind == kind && p.Object.Namespace == namespace && p.Object.Name == name {
			return p.Message
		}
	}
	return ""
}
