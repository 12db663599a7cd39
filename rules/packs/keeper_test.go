package packs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	appsv1 "k8s.io/api/apps/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
)

// TestConcluded: an error that is no refusal is no judgement, and above all none that takes the pack.
func TestConcluded(t *testing.T) {
	pack, broken := &rules.Pack{}, errors.New("the disk is gone")
	refusal := refused(v1alpha1.ReasonTooSlow, wholePack, "the rules are not taken.")
	for name, c := range map[string]struct {
		pack    *rules.Pack
		err     error
		refusal *Refused
		other   error
	}{
		"taken":   {pack, nil, nil, nil},
		"refused": {nil, refusal, refusal, nil},
		"broken":  {nil, broken, nil, broken},
	} {
		j, err := concluded(c.pack, c.err)
		if j.pack != c.pack || j.err != c.refusal || err != c.other {
			t.Errorf("%s: %+v, %v", name, j, err)
		}
	}
}

// TestConcludedInBounds: whatever rules and strangers make of it, a status can be stored: the API server takes messages of 32 KiB.
func TestConcludedInBounds(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	var many rules.Refusals
	for range 1000 {
		many = append(many, rules.Refusal{File: "acme/x.rego", Line: 1, Message: long[:3000]})
	}
	var planted []kept
	for i := range 1000 {
		planted = append(planted, kept{object: &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: "waywarden", Name: fmt.Sprintf("planted-%03d-%s", i, strings.Repeat("x", 200))}}})
	}
	for name, refusals := range map[string]rules.Refusals{"a long one": {{File: "acme/x.rego", Message: long}}, "many": many, "several long ones": {many[0], {Message: long}, {Message: long}}} {
		o := &one{Keeper: NewKeeper(KeeperOptions{}), pack: acme(), was: &v1alpha1.RulePackStatus{}, others: planted}
		o.conclude(nil, &Refused{Reason: v1alpha1.ReasonCompileError, Refusals: refusals})
		o.sayKept()
		for _, c := range o.pack.Status.Conditions {
			if len(c.Message) > 32<<10 || !utf8.ValidString(c.Message) {
				t.Errorf("%s: condition %s has %d bytes", name, c.Type, len(c.Message))
			}
		}
		if ready := apimeta.FindStatusCondition(o.pack.Status.Conditions, v1alpha1.RulePackReady); len(refusals) > 100 && !strings.Contains(ready.Message, "more") {
			t.Errorf("%s: it is not said that there are more: %s", name, ready.Message[len(ready.Message)-100:])
		}
	}
}

// TestWithMade: what was made just now counts as kept until the cache shows it, and for a moment if it never does.
func TestWithMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := NewKeeper(KeeperOptions{})
		mine, other := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{UID: "1"}}, &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{UID: "2"}}
		k.made = append(k.made, made{mine, time.Now()})
		if got := k.withMade([]*appsv1.ControllerRevision{other}); len(got) != 2 {
			t.Errorf("just made: %d", len(got))
		}
		if got := k.withMade([]*appsv1.ControllerRevision{other, mine}); len(got) != 2 || len(k.made) != 0 {
			t.Errorf("seen: %d", len(got))
		}
		k.made = append(k.made, made{mine, time.Now()})
		time.Sleep(retry + time.Second)
		if got := k.withMade(nil); len(got) != 0 {
			t.Errorf("never seen: %d", len(got))
		}
	})
}

// TestAwait: what is waited for is said, but a refusal of the same spec stands until something else is known.
func TestAwait(t *testing.T) {
	refused := metav1.Condition{Type: v1alpha1.RulePackReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTestFailed, ObservedGeneration: 7}
	previewed := refused
	previewed.Reason = v1alpha1.ReasonActivating
	inForce := metav1.Condition{Type: v1alpha1.RulePackReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInForce, ObservedGeneration: 7}
	for name, c := range map[string]struct {
		was        *metav1.Condition
		generation int64
		waits      string
		accepted   metav1.ConditionStatus
		ready      metav1.ConditionStatus
		reason     string
	}{
		"a new pack":             {nil, 7, v1alpha1.ReasonFetching, metav1.ConditionUnknown, metav1.ConditionUnknown, v1alpha1.ReasonFetching},
		"another source":         {&inForce, 7, v1alpha1.ReasonJudging, metav1.ConditionUnknown, metav1.ConditionUnknown, v1alpha1.ReasonJudging},
		"a new leader":           {&refused, 7, v1alpha1.ReasonJudging, "", metav1.ConditionFalse, v1alpha1.ReasonTestFailed},
		"another spec":           {&refused, 8, v1alpha1.ReasonJudging, metav1.ConditionUnknown, metav1.ConditionUnknown, v1alpha1.ReasonJudging},
		"it holds":               {&refused, 7, v1alpha1.ReasonPreviewing, metav1.ConditionTrue, metav1.ConditionFalse, v1alpha1.ReasonPreviewing},
		"another one since then": {&previewed, 7, v1alpha1.ReasonJudging, metav1.ConditionUnknown, metav1.ConditionUnknown, v1alpha1.ReasonJudging},
	} {
		p := acme()
		p.Generation = c.generation
		if c.was != nil {
			p.Status.Conditions = []metav1.Condition{*c.was}
		}
		o := &one{Keeper: NewKeeper(KeeperOptions{}), pack: p, was: p.Status.DeepCopy()}
		o.await(&pending{c.waits, "It is on its way."})
		accepted, ready := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.RulePackAccepted), apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.RulePackReady)
		if c.accepted == "" && accepted != nil || c.accepted != "" && (accepted == nil || accepted.Status != c.accepted || accepted.Reason != c.waits) {
			t.Errorf("%s: Accepted is %+v", name, accepted)
		}
		if ready == nil || ready.Status != c.ready || ready.Reason != c.reason || o.reason != c.reason {
			t.Errorf("%s: Ready is %+v", name, ready)
		}
	}
}
