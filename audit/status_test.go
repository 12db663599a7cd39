package audit

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/waywarden/waywarden/api/v1alpha1"
	_ "github.com/waywarden/waywarden/policies/checks" // the built-in checks register themselves
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

func decoded(t *testing.T, content map[string]any) *mesh.Object {
	t.Helper()
	o, err := mesh.Decode(content)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestTimeAloneEndsExemptions: nothing is stored, and what is counted of Exemptions and of what they except changes.
func TestTimeAloneEndsExemptions(t *testing.T) {
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	rules := &Authored{
		Guardrails: []*v1alpha1.Guardrail{{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.GuardrailSpec{Checks: []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, Action: v1alpha1.Deny}}}}},
		Exemptions: []*v1alpha1.Exemption{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "e"}, Spec: v1alpha1.ExemptionSpec{Checks: []v1alpha1.CheckGlob{"*"}, Reason: "it has to be",
			Subjects: []v1alpha1.Subject{{Kind: "AuthorizationPolicy"}}, ExpiresAt: metav1.NewTime(noon.Add(time.Hour))}}},
	}
	rules.Rulebook, _ = decide.New(decide.Options{}, rules.Guardrails, rules.Exemptions)
	snapshot := mesh.New(mesh.Options{},
		decoded(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "shop", "labels": map[string]any{"istio.io/dataplane-mode": "ambient"}}}),
		decoded(t, map[string]any{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": map[string]any{"name": "no-op", "namespace": "shop"},
			"spec": map[string]any{"action": "DENY", "rules": []any{map[string]any{"to": []any{map[string]any{"operation": map[string]any{"methods": []any{"DELETE"}}}}}}}}))
	clock := clocktesting.NewFakeClock(noon)
	type told struct {
		exempt, denied int
		state          v1alpha1.ExemptionState
	}
	var got []told
	c := NewContinuous(ContinuousOptions{Clock: clock, Authored: func() *Authored { return rules }, Report: func(found Stock) {
		x := told{state: found.Exemptions[0].State}
		for _, r := range found.Found {
			if r.Exempt != nil {
				x.exempt++
			} else if r.Denies() {
				x.denied++
			}
		}
		got = append(got, x)
	}})
	c.audit(snapshot)
	c.audit(snapshot)
	clock.Step(59 * time.Minute)
	c.audit(snapshot)
	if len(got) != 1 || got[0].exempt == 0 || got[0].state != v1alpha1.StateActive {
		t.Fatalf("while it lasts: %+v", got)
	}
	clock.Step(time.Minute)
	c.audit(snapshot)
	standings := c.Latest().Standings
	want := []told{got[0], {denied: got[0].exempt, state: v1alpha1.StateExpired}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(told{})); diff != "" || standings[0].State != v1alpha1.StateExpired {
		t.Errorf("once it has ended, %s (-want +got):\n%s", standings[0].State, diff)
	}
}

// TestConditions: a Guardrail that is well formed is Ready, and says besides whether anybody is held to it.
func TestConditions(t *testing.T) {
	g := &v1alpha1.Guardrail{ObjectMeta: metav1.ObjectMeta{Name: "all", Generation: 3}, Spec: v1alpha1.GuardrailSpec{Checks: []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, Action: v1alpha1.Deny}}}}
	rules := &Authored{Guardrails: []*v1alpha1.Guardrail{g}}
	rules.Rulebook, _ = decide.New(decide.Options{}, rules.Guardrails, nil)
	snapshot := mesh.New(mesh.Options{})
	for _, c := range []struct {
		inForce *metav1.Condition
		want    string
	}{
		{nil, ""},
		{&metav1.Condition{Type: ConditionInForce, Status: metav1.ConditionFalse, Reason: "Admitted", Message: "admission is not in force"}, "False Admitted"},
		{&metav1.Condition{Type: ConditionInForce, Status: metav1.ConditionTrue, Reason: "Refused", Message: "it is"}, "True Refused"},
	} {
		NewStatuses(StatusOptions{}).guardrailStatus(g, rules, snapshot, c.inForce)(g)
		if ready := apimeta.FindStatusCondition(g.Status.Conditions, "Ready"); ready == nil || ready.Status != metav1.ConditionTrue {
			t.Errorf("Ready: %+v", ready)
		}
		text := ""
		if found := apimeta.FindStatusCondition(g.Status.Conditions, ConditionInForce); found != nil {
			text = string(found.Status) + " " + found.Reason
			if found.ObservedGeneration != 3 {
				t.Errorf("of generation %d", found.ObservedGeneration)
			}
		}
		if text != c.want {
			t.Errorf("%q, want %q", text, c.want)
		}
	}
}

// TestProvided: a Guardrail that asks for waypoints to be made says whether they are, and no other says anything of it.
func TestProvided(t *testing.T) {
	const off = "No waypoint is made."
	for name, c := range map[string]struct {
		waypoints  *v1alpha1.GuardrailWaypoints
		unprovided string
		want       string
	}{
		"says nothing of waypoints": {unprovided: off},
		"observes":                  {waypoints: &v1alpha1.GuardrailWaypoints{Mode: v1alpha1.ObserveWaypoints}, unprovided: off},
		"provides":                  {waypoints: &v1alpha1.GuardrailWaypoints{Mode: v1alpha1.ProvisionWaypoints}, want: "True Provided"},
		"would":                     {waypoints: &v1alpha1.GuardrailWaypoints{Mode: v1alpha1.ProvisionWaypoints}, unprovided: off, want: "False Disabled"},
	} {
		g := &v1alpha1.Guardrail{ObjectMeta: metav1.ObjectMeta{Name: "all", Generation: 3},
			Spec: v1alpha1.GuardrailSpec{Checks: []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, Action: v1alpha1.Warn}}, Waypoints: c.waypoints}}
		g.Status.Conditions = []metav1.Condition{{Type: ConditionProvided, Status: metav1.ConditionUnknown, Reason: "Before"}}
		rules := &Authored{Guardrails: []*v1alpha1.Guardrail{g}}
		rules.Rulebook, _ = decide.New(decide.Options{}, rules.Guardrails, nil)
		NewStatuses(StatusOptions{Unprovided: c.unprovided}).guardrailStatus(g, rules, mesh.New(mesh.Options{}), nil)(g)
		text := ""
		if found := apimeta.FindStatusCondition(g.Status.Conditions, ConditionProvided); found != nil {
			text = string(found.Status) + " " + found.Reason
			if found.ObservedGeneration != 3 || found.Status == metav1.ConditionFalse && found.Message != off {
				t.Errorf("%s: %+v", name, found)
			}
		}
		if text != c.want {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
	}
}
