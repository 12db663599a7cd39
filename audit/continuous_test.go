package audit

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// books are rules that change: none, and some with an Exemption that ends.
func books(ends time.Time) []*Authored {
	guardrail := &v1alpha1.Guardrail{ObjectMeta: metav1.ObjectMeta{Name: "enrolled"}, Spec: v1alpha1.GuardrailSpec{
		NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"istio.io/dataplane-mode": "ambient"}},
		Checks:            []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"effect/*"}, Action: v1alpha1.Deny}, {IDs: []v1alpha1.CheckGlob{"effect/no-such"}, Action: v1alpha1.Warn}}}}
	exemption := &v1alpha1.Exemption{ObjectMeta: metav1.ObjectMeta{Name: "all", Namespace: "shop"}, Spec: v1alpha1.ExemptionSpec{
		Checks: []v1alpha1.CheckGlob{"effect/*"}, Subjects: []v1alpha1.Subject{{Kind: "AuthorizationPolicy", Name: "*"}}, Reason: "for a while", ExpiresAt: metav1.NewTime(ends)}}
	var out []*Authored
	for _, with := range []bool{false, true} {
		a := &Authored{}
		if with {
			a.Guardrails, a.Exemptions = []*v1alpha1.Guardrail{guardrail}, []*v1alpha1.Exemption{exemption}
		}
		a.Rulebook, a.Problems = decide.New(decide.Options{}, a.Guardrails, a.Exemptions)
		out = append(out, a)
	}
	return out
}

// TestPlacesAreFresh: what is done about findings, namespace by namespace, is brought up to date by events, by other rules and by
// time alone, and is then what it would be if it were found anew.
func TestPlacesAreFresh(t *testing.T) {
	pool := scenarioObjects(t)
	checks := policies.Checks()
	start := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	denied, exempt, beside := 0, 0, 0
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 3))
		rules := books(start.Add(80 * time.Hour))
		for _, a := range rules {
			if len(a.Problems) > 0 {
				t.Fatal(a.Problems)
			}
		}
		some := draw(r, pool, 300)
		s := mesh.New(mesh.Options{}, some[:150]...)
		inc := NewIncremental(policies.AboutObjects(checks), policies.Occasion{})
		var places judgedPlaces
		b := basis{rules: rules[0], now: start}
		for step := range 90 {
			event := "nothing"
			switch r.IntN(7) {
			case 0:
				b.rules = rules[r.IntN(len(rules))]
				event = "other rules"
			case 2:
				ns := some[r.IntN(len(some))].Home()
				b.beside = map[string][]policies.Finding{ns: {{Check: "waypoint/stopped", Message: fmt.Sprint(step), Namespaces: []string{ns}}}}
				event = "something beside"
			case 1:
				event = "time"
			default:
				s, event = anyEvent(r, s, some)
			}
			b.now = start.Add(time.Duration(step) * time.Hour)
			places.judge(inc, inc.Step(s), b)
			var anew judgedPlaces
			full := NewIncremental(policies.AboutObjects(checks), policies.Occasion{})
			anew.judge(full, full.Step(s), b)
			if diff := cmp.Diff(toldPlaces(&anew), toldPlaces(&places)); diff != "" {
				t.Fatalf("seed %d, step %d: after %s (-anew +kept):\n%s", seed, step, event, diff)
			}
			for ns := range b.beside {
				if slices.ContainsFunc(places.found(ns).Records, func(r ledger.Record) bool { return r.Check == "waypoint/stopped" }) {
					beside++
				}
			}
			for _, ruling := range places.stock().Found {
				if ruling.Action == v1alpha1.Deny {
					denied++
				}
				if ruling.Exempt != nil {
					exempt++
				}
			}
		}
	}
	if denied == 0 || exempt == 0 || beside == 0 {
		t.Errorf("%d findings were denied, %d exempt, %d found beside: the test says little", denied, exempt, beside)
	}
}

// toldPlaces is everything that is said of each namespace.
func toldPlaces(j *judgedPlaces) map[string][]string {
	out := map[string][]string{}
	for _, ns := range slices.Sorted(maps.Keys(j.of)) {
		found := j.found(ns)
		out[ns] = []string{fmt.Sprintf("%d passed, %d failed", found.Passed, found.Failed)}
		for _, r := range found.Records {
			out[ns] = append(out[ns], fmt.Sprintf("%s %s %s %s %v %s", r.Action, r.Check, r.Object, r.Message, r.Exempt, r.Note))
		}
	}
	for _, s := range j.standings {
		out["exemptions"] = append(out["exemptions"], fmt.Sprintf("%s %s %d", s.Exemption.Name, s.State, s.Matched))
	}
	return out
}

// TestMeter: whoever counts hears of each check that fails while everything is judged, and again whenever everything is judged anew.
func TestMeter(t *testing.T) {
	whole, _, _ := shopMeshes(t)
	broken := &policies.Check{ID: "acme/broken", Kinds: []mesh.Kind{mesh.Namespace}, Severity: policies.High, Run: func(p *policies.Pass) { p.Fail("it divides by zero.") }}
	rules := &Authored{}
	rules.Rulebook, _ = decide.New(decide.Options{Checks: []*policies.Check{broken}}, nil, nil)
	failed := map[string]int{}
	clock := clocktesting.NewFakeClock(time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC))
	c := NewContinuous(ContinuousOptions{Clock: clock, Authored: func() *Authored { return rules }, Meter: &policies.Meter{Failed: func(f policies.Failure) { failed[f.Check]++ }}})
	c.audit(whole)
	once := failed["acme/broken"]
	c.verify()
	if once == 0 || failed["acme/broken"] != 2*once || len(failed) != 1 {
		t.Errorf("heard of %v, of %d the first time", failed, once)
	}
}
