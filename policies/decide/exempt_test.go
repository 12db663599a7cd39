package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

func TestExempt(t *testing.T) {
	shop := found(noOp, policies.High, "shop")
	ofNamespace := pass("p", 1, "shop", "*")
	ofNamespace.Spec.Subjects[0].Kind = "Namespace"
	for name, c := range map[string]struct {
		passes  []*v1alpha1.Exemption
		finding policies.Finding
		want    string // which excepts, or has lapsed
		lapse   v1alpha1.ExemptionState
	}{
		"by name":              {[]*v1alpha1.Exemption{pass("p", 1, "legacy-deny", noOp)}, shop, "p", ""},
		"by globs":             {[]*v1alpha1.Exemption{pass("p", 1, "legacy-*", "effect/*")}, shop, "p", ""},
		"all of the kind":      {[]*v1alpha1.Exemption{pass("p", 1, "", "*")}, shop, "p", ""},
		"another name":         {[]*v1alpha1.Exemption{pass("p", 1, "new-*", "*")}, shop, "", ""},
		"another check":        {[]*v1alpha1.Exemption{pass("p", 1, "*", "waypoint/*")}, shop, "", ""},
		"another kind":         {[]*v1alpha1.Exemption{ofNamespace}, shop, "", ""},
		"another namespace":    {[]*v1alpha1.Exemption{pass("p", 1, "*", "*")}, found(noOp, policies.High, "lab"), "", ""},
		"the namespace itself": {[]*v1alpha1.Exemption{ofNamespace}, policies.Finding{Check: noOp, Object: mesh.Ref{Kind: "Namespace", Name: "shop"}}, "p", ""},
		"from shop, of a policy that stands elsewhere": {[]*v1alpha1.Exemption{pass("p", 1, "*", "*")}, found(noOp, policies.High, "istio-system", "shop"), "", ""},
		"ended":                    {[]*v1alpha1.Exemption{pass("p", -1, "*", "*")}, shop, "p", v1alpha1.StateExpired},
		"ends now":                 {[]*v1alpha1.Exemption{pass("p", 0, "*", "*")}, shop, "p", v1alpha1.StateExpired},
		"ends at the bound":        {[]*v1alpha1.Exemption{pass("p", 90, "*", "*")}, shop, "p", ""},
		"ends beyond the bound":    {[]*v1alpha1.Exemption{pass("p", 91, "*", "*")}, shop, "p", v1alpha1.StateTooLong},
		"the one that lasts":       {[]*v1alpha1.Exemption{pass("p", 3, "*", "*"), pass("q", 9, "*", "*"), pass("r", 5, "*", "*")}, shop, "q", ""},
		"one has ended, one holds": {[]*v1alpha1.Exemption{pass("p", -3, "*", "*"), pass("q", 9, "*", "*")}, shop, "q", ""},
		"all have ended":           {[]*v1alpha1.Exemption{pass("p", -3, "*", "*"), pass("q", -9, "*", "*")}, shop, "p", v1alpha1.StateExpired},
	} {
		t.Run(name, func(t *testing.T) {
			r, d := ruleOn(t, Options{}, []*v1alpha1.Guardrail{rail("all", "", rule(v1alpha1.Deny, "*"))}, c.passes, Request{}, c.finding)
			got, lapsed := "", ""
			if r.Exempt != nil {
				got = r.Exempt.Name
			}
			if r.Lapsed != nil {
				got, lapsed = r.Lapsed.Name, string(r.Lapse)
			}
			if got != c.want || lapsed != string(c.lapse) {
				t.Errorf("%q %s, want %q %s", got, lapsed, c.want, c.lapse)
			}
			if exempt := c.want != "" && c.lapse == ""; d.Denied == exempt || (r.Exempt != nil) != exempt {
				t.Errorf("denied: %v, exempt: %v", d.Denied, r.Exempt)
			}
			if r.Action != v1alpha1.Deny {
				t.Errorf("the action is %s: exempt findings keep what is demanded", r.Action)
			}
		})
	}
}

func TestMaxDuration(t *testing.T) {
	opts := Options{MaxDuration: 24 * time.Hour}
	for days, want := range map[int]bool{1: true, 2: false} {
		r, _ := ruleOn(t, opts, nil, []*v1alpha1.Exemption{pass("p", days, "*", "*")}, Request{}, found(noOp, policies.High, "shop"))
		if (r.Exempt != nil) != want {
			t.Errorf("%d days: exempt %v", days, r.Exempt != nil)
		}
	}
}

// TestNotes: what people read about a ruling.
func TestNotes(t *testing.T) {
	deny := []*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "*"))}
	signed := pass("cut-over", 30, "*", "*")
	signed.Spec.Ticket, signed.Spec.GrantedBy = "SEC-123", "alice@example.com"
	shop := found(noOp, policies.High, "shop")
	for name, c := range map[string]struct {
		rails   []*v1alpha1.Guardrail
		passes  []*v1alpha1.Exemption
		finding policies.Finding
		want    string
	}{
		"nothing to say": {nil, nil, shop, ""},
		"denied":         {deny, nil, shop, "Guardrail prod denies it."},
		"warned":         {[]*v1alpha1.Guardrail{rail("a", "", rule(v1alpha1.Warn, "*"))}, nil, shop, "Guardrail a warns about it."},
		"audited":        {[]*v1alpha1.Guardrail{rail("a", "", rule(v1alpha1.Audit, "*"))}, nil, shop, "Guardrail a only audits it."},
		"waits":          {deny, nil, waiting(shop), "Guardrail prod would deny it; it only waits for label istio.io/use-waypoint on Service shop/cart."},
		"exempt": {deny, []*v1alpha1.Exemption{signed}, shop,
			"Exempt until 2026-12-31T12:00:00Z by Exemption shop/cut-over, granted by alice@example.com: partner cut-over (SEC-123)."},
		"expired":  {deny, []*v1alpha1.Exemption{pass("p", -1, "*", "*")}, shop, "Its Exemption shop/p ended on 2026-11-30T12:00:00Z. Guardrail prod denies it."},
		"too long": {deny, []*v1alpha1.Exemption{pass("p", 100, "*", "*")}, shop, "Its Exemption shop/p is not in force, because it ends too late, on 2027-03-11T12:00:00Z. Guardrail prod denies it."},
	} {
		r, _ := ruleOn(t, Options{}, c.rails, c.passes, Request{}, c.finding)
		if got := r.Note(c.finding); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestStandings: what becomes of Exemptions, and what is found of it.
func TestStandings(t *testing.T) {
	r, problems := New(Options{}, nil, []*v1alpha1.Exemption{pass("used", 1, "legacy-*", "*"), pass("unused", 1, "none", "*"), pass("ended", -1, "*", "*"), pass("late", 100, "*", "*")})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	tally := Tally{}
	tally.Add(r.Judge(Request{}, []policies.Finding{found(noOp, policies.High, "shop"), found(noOp, policies.Low, "shop")}, now))
	type standing struct {
		name, state, finding string
		matched              int
	}
	var got []standing
	for _, s := range r.Standings(tally, now) {
		f, _ := s.Finding()
		got = append(got, standing{s.Exemption.Name, string(s.State), strings.TrimSpace(f.Check + " " + f.Message), s.Matched})
	}
	want := []standing{
		{"ended", "Expired", "exemption/expired this Exemption excepts nothing any more: it ended on 2026-11-30T12:00:00Z.", 0},
		{"late", "TooLong", "exemption/too-long this Exemption excepts nothing: it ends on 2027-03-11T12:00:00Z, more than the allowed 90 days ahead.", 0},
		{"unused", "Unused", "exemption/unused this Exemption excepts nothing: there is no finding of its checks about its subjects.", 0},
		{"used", "Active", "", 2},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(standing{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestProblems: what is not well formed is left out and told, and harms nothing else.
func TestProblems(t *testing.T) {
	broken := rail("broken", "", rule("Block", "effect/*"))
	broken.Spec.NamespaceSelector.MatchLabels = map[string]string{"e n v": "x"}
	blank := pass("blank", 1, "*", "*")
	blank.Spec.Reason = " "
	r, problems := New(Options{}, []*v1alpha1.Guardrail{broken, rail("good", "", rule(v1alpha1.Audit, "*"))}, []*v1alpha1.Exemption{blank, pass("good", 1, "*", "*")})
	var got []string
	for _, p := range problems {
		got = append(got, p.Field+" | "+p.Error())
	}
	want := []string{
		`spec.namespaceSelector.matchLabels | Guardrail broken is not applied: spec.namespaceSelector.matchLabels must be as in any label selector and is "e n v" (name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character). Correct it.`,
		`spec.checks[0].action | Guardrail broken is not applied: spec.checks[0].action must be Deny, Warn, Audit or Off and is "Block". Correct it.`,
		`spec.reason | Exemption shop/blank is not applied: spec.reason must be a text that says why and is " ". Correct it.`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d := r.Judge(Request{}, []policies.Finding{found(noOp, policies.High, "shop")}, now)
	if d.Rulings[0].Guardrail != "good" || d.Rulings[0].Exempt == nil {
		t.Errorf("what is well formed is not applied: %+v", d.Rulings[0])
	}
	checks, namespaces, ok := r.Reach("good", town(t), []string{noOp, "waypoint/canary"})
	if checks != 2 || namespaces != 4 || !ok {
		t.Errorf("good reaches %d checks and %d namespaces (%v), want 2 and 4", checks, namespaces, ok)
	}
	if _, _, ok := r.Reach("broken", town(t), nil); ok {
		t.Error("broken is in force")
	}
}
