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
