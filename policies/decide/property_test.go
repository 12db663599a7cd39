package decide

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// random makes Guardrails, Exemptions and findings that meet often.
type random struct{ *rand.Rand }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

func (r random) guardrail(i int) *v1alpha1.Guardrail {
	g := rail(fmt.Sprintf("g%02d", i), pick(r, "", "prod", "dev"))
	for range 1 + r.IntN(3) {
		g.Spec.Checks = append(g.Spec.Checks, v1alpha1.CheckEntry{
			IDs:         []v1alpha1.CheckGlob{pick[v1alpha1.CheckGlob](r, "*", "effect/*", noOp, "effect/l7-*", "waypoint/*", "*/canary")},
			Action:      pick(r, v1alpha1.Actions...),
			MinSeverity: pick[v1alpha1.Severity](r, "", "", "high", "low"),
		})
	}
	g.Spec.Fix = pick(r, "", v1alpha1.FixNever, v1alpha1.FixAdmission)
	return g
}

func (r random) exemption(i int) *v1alpha1.Exemption {
	e := pass(fmt.Sprintf("e%02d", i), r.IntN(200)-60, pick(r, "*", "legacy-*", "legacy-deny", "other"), pick[v1alpha1.CheckGlob](r, "*", "effect/*", noOp, "waypoint/*"))
	e.Namespace = pick(r, "shop", "web", "lab")
	return e
}

func (r random) finding() policies.Finding {
	f := found(pick(r, noOp, "effect/deny-without-rules", "waypoint/canary"), pick(r, policies.Severities...))
	f.Object.Namespace = pick(r, "shop", "web", "lab", "other", "unseen")
	for _, ns := range []string{"lab", "other", "shop", "unseen", "web"} {
		if r.IntN(4) == 0 {
			f.Namespaces = append(f.Namespaces, ns)
		}
	}
	if r.IntN(4) == 0 {
		f = waiting(f)
	}
	return f
}

// world is everything that a Decision depends on.
type world struct {
	rails    []*v1alpha1.Guardrail
	passes   []*v1alpha1.Exemption
	findings []policies.Finding
	request  Request
}

func (r random) world(t *testing.T) world {
	w := world{request: Request{Mesh: town(t)}}
	for i := range r.IntN(5) {
		w.rails = append(w.rails, r.guardrail(i))
	}
	for i := range r.IntN(4) {
		w.passes = append(w.passes, r.exemption(i))
	}
	for range 1 + r.IntN(6) {
		w.findings = append(w.findings, r.finding())
	}
	if r.IntN(2) == 0 {
		w.request.Before = w.request.Mesh
		w.request.Mesh = w.request.Mesh.With(namespace(t, pick(r, "shop", "lab"), map[string]any{"env": pick(r, "dev", "prod", "test")}))
	}
	return w
}

func (w world) judge(t *testing.T) Decision {
	t.Helper()
	r, problems := New(Options{}, w.rails, w.passes)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return r.Judge(w.request, w.findings, now)
}

// each runs a property on random worlds.
func each(t *testing.T, property func(t *testing.T, r random, w world)) {
	for seed := range uint64(2000) {
		r := random{rand.New(rand.NewPCG(seed, 7))}
		property(t, r, r.world(t))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// sameExemptions compares Exemptions of different Rulebooks by what they are.
var sameExemptions = cmpopts.IgnoreUnexported(Exemption{})

// TestOrder: nothing depends on the order of Guardrails, Exemptions and findings.
func TestOrder(t *testing.T) {
	each(t, func(t *testing.T, r random, w world) {
		want := w.judge(t)
		shuffled := w
		shuffled.rails, shuffled.passes = slices.Clone(w.rails), slices.Clone(w.passes)
		r.Shuffle(len(w.rails), func(i, j int) { shuffled.rails[i], shuffled.rails[j] = shuffled.rails[j], shuffled.rails[i] })
		r.Shuffle(len(w.passes), func(i, j int) { shuffled.passes[i], shuffled.passes[j] = shuffled.passes[j], shuffled.passes[i] })
		if diff := cmp.Diff(want, shuffled.judge(t), sameExemptions); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		shuffled.findings = slices.Clone(w.findings)
		slices.Reverse(shuffled.findings)
		got := shuffled.judge(t)
		slices.Reverse(got.Rulings)
		if diff := cmp.Diff(want, got, sameExemptions); diff != "" {
			t.Errorf("findings in reverse (-want +got):\n%s", diff)
		}
	})
}

// TestExemptionsLoosen: one more Exemption makes no ruling stricter and changes no action.
func TestExemptionsLoosen(t *testing.T) {
	each(t, func(t *testing.T, r random, w world) {
		before := w.judge(t)
		w.passes = append(slices.Clone(w.passes), r.exemption(99))
		after := w.judge(t)
		for i := range before.Rulings {
			b, a := before.Rulings[i], after.Rulings[i]
			if a.Action != b.Action || a.Guardrail != b.Guardrail || a.Denies() && !b.Denies() || b.Exempt != nil && a.Exempt == nil {
				t.Errorf("before %+v, after %+v", b, a)
			}
		}
		if after.Denied && !before.Denied {
			t.Error("denied with one more Exemption")
		}
	})
}

// TestGuardrailsTighten: where some Guardrail names the check for all that a finding is about, one more makes no ruling
// looser. Where none does, findings are warned about, and the first Guardrail to name the check is heard, even if it
// says Off.
func TestGuardrailsTighten(t *testing.T) {
	each(t, func(t *testing.T, r random, w world) {
		floor := rail("floor", "", rule(pick(r, v1alpha1.Actions...), "*"))
		w.rails = append(slices.Clone(w.rails), floor)
		before := w.judge(t)
		w.rails = append(w.rails, r.guardrail(99))
		after := w.judge(t)
		for i := range before.Rulings {
			if b, a := before.Rulings[i], after.Rulings[i]; b.Action.Stricter(a.Action) {
				t.Errorf("before %+v, after %+v", b, a)
			}
		}
	})
}

// TestNeverDenied: what waits is never denied, whatever Guardrails say; nor is anything where break-glass is asked for,
// and then nothing else changes.
func TestNeverDenied(t *testing.T) {
	each(t, func(t *testing.T, _ random, w world) {
		d := w.judge(t)
		for i := range d.Rulings {
			if len(w.findings[i].WaitsFor) > 0 && d.Rulings[i].Denies() {
				t.Errorf("%+v is denied: %+v", w.findings[i], d.Rulings[i])
			}
		}
		w.request.BreakGlass, w.request.Reason = true, "fire"
		through := w.judge(t)
		if through.Denied || through.BrokenGlass != d.Denied || (through.Reason != "") != d.Denied {
			t.Errorf("denied %v; with break-glass %v %v %q", d.Denied, through.Denied, through.BrokenGlass, through.Reason)
		}
		if diff := cmp.Diff(d.Rulings, through.Rulings, sameExemptions); diff != "" {
			t.Errorf("(-without +with break-glass):\n%s", diff)
		}
	})
}

// TestTotals: every finding is counted once, and the object is denied exactly when one of them is.
func TestTotals(t *testing.T) {
	each(t, func(t *testing.T, _ random, w world) {
		d := w.judge(t)
		n := d.Totals
		if n.Deny+n.Warn+n.Audit+n.Off+n.Exempt != len(w.findings) || d.Denied != (n.Deny > 0) || n.Waiting > n.Warn {
			t.Errorf("%d findings: %+v, denied %v", len(w.findings), n, d.Denied)
		}
		if denies := slices.ContainsFunc(d.Rulings, func(r Ruling) bool { return r.Denies() }); denies != d.Denied {
			t.Errorf("a ruling denies: %v, denied: %v", denies, d.Denied)
		}
	})
}

// TestNothingIsWritten: a Rulebook keeps nothing of what it was made of, and judging leaves findings as they are.
func TestNothingIsWritten(t *testing.T) {
	each(t, func(t *testing.T, _ random, w world) {
		findings := slices.Clone(w.findings)
		r, _ := New(Options{}, w.rails, w.passes)
		want := r.Judge(w.request, w.findings, now)
		if diff := cmp.Diff(findings, w.findings); diff != "" {
			t.Errorf("findings changed:\n%s", diff)
		}
		for _, g := range w.rails {
			for i := range g.Spec.Checks {
				g.Spec.Checks[i].Action, g.Spec.Checks[i].IDs[0] = "Block", "none"
			}
		}
		for _, e := range w.passes {
			e.Spec.Checks[0], e.Spec.Subjects[0].Kind = "none", "None"
		}
		if diff := cmp.Diff(want, r.Judge(w.request, w.findings, now), sameExemptions); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// FuzzGlobs: whatever a manifest says, it is refused or can be judged by, and a Guardrail that is taken matches what it
// names literally.
func FuzzGlobs(f *testing.F) {
	for _, seed := range []string{"*", "effect/*", "effect/l7-*", "a/[", "a//b", "Effect/x", "\\", "*/*", "?", "a/", "é", ""} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, glob, name string) {
		e := pass("p", 1, name, v1alpha1.CheckGlob(glob))
		g := rail("g", "", rule(v1alpha1.Deny, v1alpha1.CheckGlob(glob)))
		finding := found(glob, policies.High)
		finding.Object = mesh.Ref{Kind: "AuthorizationPolicy", Namespace: "shop", Name: name}
		r, problems := New(Options{}, []*v1alpha1.Guardrail{g}, []*v1alpha1.Exemption{e})
		ruling := r.Judge(Request{}, []policies.Finding{finding}, now).Rulings[0]
		refused := len(g.Validate()) > 0
		if refused == (ruling.Guardrail == "g") {
			t.Errorf("%q: refused %v, ruling %+v, problems %v", glob, refused, ruling, problems)
		}
		if len(e.Validate()) == 0 && ruling.Exempt == nil {
			t.Errorf("%q of %q excepts nothing", glob, name)
		}
	})
}
