package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// rule is an entry of a Guardrail: ids, an action, and maybe the least severity.
func rule(action v1alpha1.Action, ids ...v1alpha1.CheckGlob) v1alpha1.CheckEntry {
	return v1alpha1.CheckEntry{IDs: ids, Action: action}
}

func from(e v1alpha1.CheckEntry, least v1alpha1.Severity) v1alpha1.CheckEntry {
	e.MinSeverity = least
	return e
}

// rail is a Guardrail for namespaces with label env of that value; for all where it is "".
func rail(name, env string, entries ...v1alpha1.CheckEntry) *v1alpha1.Guardrail {
	g := &v1alpha1.Guardrail{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.GuardrailSpec{Checks: entries}}
	if env != "" {
		g.Spec.NamespaceSelector.MatchLabels = map[string]string{"env": env}
	}
	return g
}

func fixing(g *v1alpha1.Guardrail) *v1alpha1.Guardrail {
	g.Spec.Fix = v1alpha1.FixAdmission
	return g
}

// pass is an Exemption of AuthorizationPolicies in shop that ends some days from now.
func pass(name string, days int, subject string, checks ...v1alpha1.CheckGlob) *v1alpha1.Exemption {
	return &v1alpha1.Exemption{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.ExemptionSpec{
		Checks: checks, Subjects: []v1alpha1.Subject{{Kind: "AuthorizationPolicy", Name: subject}}, Reason: "partner cut-over",
		ExpiresAt: metav1.NewTime(now.Add(time.Duration(days) * 24 * time.Hour)),
	}}
}

func namespace(t testing.TB, name string, labels map[string]any) *mesh.Object {
	t.Helper()
	o, err := mesh.Decode(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// town is a mesh of shop and web in prod, lab in dev, and other, which has no label.
func town(t testing.TB) *mesh.Snapshot {
	return mesh.New(mesh.Options{}, namespace(t, "shop", map[string]any{"env": "prod"}), namespace(t, "web", map[string]any{"env": "prod"}),
		namespace(t, "lab", map[string]any{"env": "dev"}), namespace(t, "other", nil))
}

func found(check string, severity policies.Severity, namespaces ...string) policies.Finding {
	f := policies.Finding{Check: check, Severity: severity, Namespaces: namespaces,
		Object: mesh.Ref{APIVersion: "security.istio.io/v1", Kind: "AuthorizationPolicy", Namespace: "shop", Name: "legacy-deny"}}
	if len(namespaces) > 0 {
		f.Object.Namespace = namespaces[0]
	}
	return f
}

func waiting(f policies.Finding) policies.Finding {
	f.WaitsFor = []policies.Wait{{Label: "istio.io/use-waypoint", On: &mesh.Ref{Kind: "Service", Namespace: "shop", Name: "cart"}}}
	return f
}

func ruleOn(t *testing.T, opts Options, rails []*v1alpha1.Guardrail, passes []*v1alpha1.Exemption, req Request, f policies.Finding) (Ruling, Decision) {
	t.Helper()
	r, problems := New(opts, rails, passes)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if req.Mesh == nil {
		req.Mesh = town(t)
	}
	d := r.Judge(req, []policies.Finding{f}, now)
	return d.Rulings[0], d
}

const noOp = "effect/l7-deny-no-op"

func TestActions(t *testing.T) {
	shop := found(noOp, policies.High, "shop")
	root := found(noOp, policies.High, "istio-system", "lab", "shop")
	everywhere := rail("base", "", rule(v1alpha1.Audit, "*"))
	for name, c := range map[string]struct {
		rails   []*v1alpha1.Guardrail
		finding policies.Finding
		want    v1alpha1.Action
		by      string
	}{
		"no Guardrail":                     {nil, shop, v1alpha1.Warn, ""},
		"none selects the namespace":       {[]*v1alpha1.Guardrail{rail("dev", "dev", rule(v1alpha1.Deny, "*"))}, shop, v1alpha1.Warn, ""},
		"none names the check":             {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "waypoint/*"))}, shop, v1alpha1.Warn, ""},
		"by ID":                            {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, noOp))}, shop, v1alpha1.Deny, "prod"},
		"by a glob within a part":          {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "effect/l7-*"))}, shop, v1alpha1.Deny, "prod"},
		"below":                            {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "effect/*"))}, shop, v1alpha1.Deny, "prod"},
		"all":                              {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Off, "*"))}, shop, v1alpha1.Off, "prod"},
		"a later entry overrides":          {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "effect/*"), rule(v1alpha1.Audit, noOp))}, shop, v1alpha1.Audit, "prod"},
		"severe enough":                    {[]*v1alpha1.Guardrail{rail("prod", "prod", from(rule(v1alpha1.Deny, "*"), "high"))}, shop, v1alpha1.Deny, "prod"},
		"not severe enough":                {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Audit, "*"), from(rule(v1alpha1.Deny, "*"), "critical"))}, shop, v1alpha1.Audit, "prod"},
		"the strictest of several":         {[]*v1alpha1.Guardrail{everywhere, rail("prod", "prod", rule(v1alpha1.Deny, "*"))}, shop, v1alpha1.Deny, "prod"},
		"the first by name":                {[]*v1alpha1.Guardrail{rail("b", "prod", rule(v1alpha1.Deny, "*")), rail("a", "", rule(v1alpha1.Deny, "*"))}, shop, v1alpha1.Deny, "a"},
		"silence loosens nothing":          {[]*v1alpha1.Guardrail{everywhere, rail("prod", "prod", rule(v1alpha1.Deny, "waypoint/*"))}, shop, v1alpha1.Audit, "base"},
		"from the root, one target denies": {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "*"))}, root, v1alpha1.Deny, "prod"},
		"from the root, others are silent": {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Off, "*")), rail("dev", "dev", rule(v1alpha1.Audit, "*"))}, root, v1alpha1.Warn, ""},
		"not by where it stands":           {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "*"))}, func() policies.Finding { f := shop; f.Namespaces = []string{"lab"}; return f }(), v1alpha1.Warn, ""},
		"waits":                            {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "*"))}, waiting(shop), v1alpha1.Warn, "prod"},
		"waits, audited":                   {[]*v1alpha1.Guardrail{everywhere}, waiting(shop), v1alpha1.Audit, "base"},
		"in no namespace": {[]*v1alpha1.Guardrail{rail("all", "", rule(v1alpha1.Deny, "*"))},
			policies.Finding{Check: noOp, Object: mesh.Ref{Kind: "GatewayClass", Name: "x"}}, v1alpha1.Deny, "all"},
		"in no namespace, some selected": {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "*"))},
			policies.Finding{Check: noOp, Object: mesh.Ref{Kind: "GatewayClass", Name: "x"}}, v1alpha1.Warn, ""},
		"about a Namespace": {[]*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "*"))},
			policies.Finding{Check: noOp, Object: mesh.Ref{Kind: "Namespace", Name: "shop"}}, v1alpha1.Deny, "prod"},
	} {
		t.Run(name, func(t *testing.T) {
			r, d := ruleOn(t, Options{}, c.rails, nil, Request{}, c.finding)
			if r.Action != c.want || r.Guardrail != c.by {
				t.Errorf("%s by %q, want %s by %q", r.Action, r.Guardrail, c.want, c.by)
			}
			if d.Denied != (c.want == v1alpha1.Deny) {
				t.Errorf("denied: %v", d.Denied)
			}
		})
	}
}

// TestSelectedByName: a namespace whose object nobody has seen has its name all the same.
func TestSelectedByName(t *testing.T) {
	g := rail("unseen", "", rule(v1alpha1.Deny, "*"))
	g.Spec.NamespaceSelector.MatchLabels = map[string]string{"kubernetes.io/metadata.name": "unseen"}
	for ns, want := range map[string]v1alpha1.Action{"unseen": v1alpha1.Deny, "shop": v1alpha1.Warn} {
		if r, _ := ruleOn(t, Options{}, []*v1alpha1.Guardrail{g}, nil, Request{}, found(noOp, policies.High, ns)); r.Action != want {
			t.Errorf("%s: %s, want %s", ns, r.Action, want)
		}
	}
}

// TestUnknownLabels: where nobody knows by which labels a namespace would be selected, labels from elsewhere count, and without
// any the ruling says that it may be too mild.
func TestUnknownLabels(t *testing.T) {
	prod, all := rail("prod", "prod", rule(v1alpha1.Deny, "*")), rail("base", "", rule(v1alpha1.Deny, "*"))
	named := rail("named", "", rule(v1alpha1.Deny, "*"))
	named.Spec.NamespaceSelector.MatchLabels = map[string]string{"kubernetes.io/metadata.name": "bank"}
	labels := func(env string) func(string) map[string]string {
		return func(string) map[string]string { return map[string]string{"env": env} }
	}
	for name, c := range map[string]struct {
		rails  []*v1alpha1.Guardrail
		labels func(string) map[string]string
		want   v1alpha1.Action
		untold string
	}{
		"not known":                          {rails: []*v1alpha1.Guardrail{prod}, want: v1alpha1.Warn, untold: "prod"},
		"known not to be":                    {rails: []*v1alpha1.Guardrail{prod}, labels: func(string) map[string]string { return nil }, want: v1alpha1.Warn, untold: "prod"},
		"known from elsewhere":               {rails: []*v1alpha1.Guardrail{prod}, labels: labels("prod"), want: v1alpha1.Deny},
		"known from elsewhere to be others":  {rails: []*v1alpha1.Guardrail{prod}, labels: labels("dev"), want: v1alpha1.Warn},
		"denied all the same":                {rails: []*v1alpha1.Guardrail{all, prod}, want: v1alpha1.Deny},
		"selected by name, and not this one": {rails: []*v1alpha1.Guardrail{named}, want: v1alpha1.Warn},
		"demands no more than a warning":     {rails: []*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Audit, "*"))}, want: v1alpha1.Warn},
	} {
		r, _ := ruleOn(t, Options{}, c.rails, nil, Request{Mesh: mesh.New(mesh.Options{}), Labels: c.labels}, found(noOp, policies.High, "shop"))
		if r.Action != c.want || r.Untold != c.untold {
			t.Errorf("%s: %s, untold %q; want %s, %q", name, r.Action, r.Untold, c.want, c.untold)
		}
		if note := r.Note(policies.Finding{}); strings.Contains(note, "may demand more: the labels by which it selects are not known of Namespace shop.") != (c.untold != "") {
			t.Errorf("%s: the note is %q", name, note)
		}
	}
}

// TestMovingOut: a change of a namespace's labels is judged by the Guardrails from before it too.
func TestMovingOut(t *testing.T) {
	before := town(t)
	after := before.With(namespace(t, "shop", map[string]any{"env": "dev"}))
	deny, off := rail("prod", "prod", rule(v1alpha1.Deny, "*")), rail("dev", "dev", rule(v1alpha1.Off, "*"))
	for name, c := range map[string]struct {
		before, after *mesh.Snapshot
		rails         []*v1alpha1.Guardrail
		want          v1alpha1.Action
	}{
		"out":                          {before, after, []*v1alpha1.Guardrail{deny, off}, v1alpha1.Deny},
		"out, nobody looks back":       {nil, after, []*v1alpha1.Guardrail{deny, off}, v1alpha1.Off},
		"in":                           {after, before, []*v1alpha1.Guardrail{deny, off}, v1alpha1.Deny},
		"out of one that turns it off": {after, before, []*v1alpha1.Guardrail{off}, v1alpha1.Warn},
		"made":                         {mesh.New(mesh.Options{}), after, []*v1alpha1.Guardrail{deny, off}, v1alpha1.Off},
	} {
		r, _ := ruleOn(t, Options{}, c.rails, nil, Request{Mesh: c.after, Before: c.before}, found(noOp, policies.High, "shop"))
		if r.Action != c.want {
			t.Errorf("%s: %s, want %s", name, r.Action, c.want)
		}
	}
}

func TestRepair(t *testing.T) {
	shop := found(noOp, policies.High, "shop")
	audit, deny := rule(v1alpha1.Audit, "*"), rule(v1alpha1.Deny, "*")
	for name, c := range map[string]struct {
		rails   []*v1alpha1.Guardrail
		passes  []*v1alpha1.Exemption
		finding policies.Finding
		want    bool
	}{
		"nobody asks":                    {nil, nil, shop, false},
		"it says so":                     {[]*v1alpha1.Guardrail{fixing(rail("a", "", deny))}, nil, shop, true},
		"it does not":                    {[]*v1alpha1.Guardrail{rail("a", "", deny)}, nil, shop, false},
		"both say so":                    {[]*v1alpha1.Guardrail{fixing(rail("a", "", deny)), fixing(rail("b", "", deny))}, nil, shop, true},
		"one of them does not":           {[]*v1alpha1.Guardrail{fixing(rail("a", "", deny)), rail("b", "", deny)}, nil, shop, false},
		"only one that demands less":     {[]*v1alpha1.Guardrail{rail("a", "", deny), fixing(rail("b", "", rule(v1alpha1.Warn, "*")))}, nil, shop, false},
		"all but one that demands less":  {[]*v1alpha1.Guardrail{fixing(rail("a", "", deny)), rail("b", "", rule(v1alpha1.Warn, "*"))}, nil, shop, true},
		"in one of its namespaces":       {[]*v1alpha1.Guardrail{fixing(rail("a", "prod", rule(v1alpha1.Warn, "*")))}, nil, found(noOp, policies.High, "lab", "shop"), false},
		"what is only audited":           {[]*v1alpha1.Guardrail{fixing(rail("a", "", audit))}, nil, shop, false},
		"what waits, and needs no other": {[]*v1alpha1.Guardrail{fixing(rail("a", "", deny))}, nil, waiting(shop), false},
		"what is exempt":                 {[]*v1alpha1.Guardrail{fixing(rail("a", "", deny))}, []*v1alpha1.Exemption{pass("p", 1, "*", "*")}, shop, false},
	} {
		if r, _ := ruleOn(t, Options{}, c.rails, c.passes, Request{}, c.finding); r.Repair != c.want {
			t.Errorf("%s: repair %v", name, r.Repair)
		}
	}
}

func TestBreakGlass(t *testing.T) {
	deny := []*v1alpha1.Guardrail{rail("prod", "prod", rule(v1alpha1.Deny, "*"))}
	for _, c := range []struct {
		name    string
		finding policies.Finding
		want    Decision
	}{
		{"denied", found(noOp, policies.High, "shop"), Decision{Totals: Totals{Deny: 1}, BrokenGlass: true, Reason: "fire"}},
		{"not denied anyway", found(noOp, policies.High, "lab"), Decision{Totals: Totals{Warn: 1}}},
		{"waits", waiting(found(noOp, policies.High, "shop")), Decision{Totals: Totals{Warn: 1, Waiting: 1}}},
	} {
		_, d := ruleOn(t, Options{}, deny, nil, Request{BreakGlass: true, Reason: "fire"}, c.finding)
		d.Rulings = nil
		if diff := cmp.Diff(c.want, d); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
