package rules

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

const head = `# METADATA
# title: T
# custom:
#   severity: medium
#   remediation: Do.
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
`

// pack loads rules of package acme, by name; a text that has no METADATA gets some.
func pack(t testing.TB, bodies map[string]string) *Pack {
	t.Helper()
	files := fstest.MapFS{}
	for name, body := range bodies {
		if !strings.HasPrefix(body, "# METADATA") {
			body = head + "package acme." + name + "\n\n" + body
		}
		files["acme/"+name+".rego"] = &fstest.MapFile{Data: []byte(body)}
		files["acme/"+name+".txtar"] = &fstest.MapFile{Data: []byte(scenarios)}
	}
	p, err := Load(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func objectsOf(t testing.TB, text string) []*mesh.Object {
	t.Helper()
	out, err := scenario.Objects([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const denyPolicy = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}
`

// asked is what the rules of a pack say of the first of some objects.
func asked(t testing.TB, p *Pack, occasion policies.Occasion, text string) (*policies.View, []policies.Finding) {
	t.Helper()
	all := objectsOf(t, text)
	view := policies.NewView(mesh.New(mesh.Options{}, all...))
	view.Occasion = occasion
	return view, policies.Evaluate(p.Checks(), view, all[0])
}

// TestFailures: what a rule cannot answer is a failure and no answer, whatever else is asked together with it.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct{ rule, want string }{
		"divides by zero":     {`deny contains {"msg": "m"} if 1 / count(object.get(input.object.metadata, "labels", {})) > 0`, "divide by zero"},
		"bad regex":           {`deny contains {"msg": "m"} if regex.match(concat("", ["(", input.object.metadata.name]), "x")`, "missing closing"},
		"no number":           {`deny contains {"msg": "m"} if to_number(input.object.metadata.name) > 1`, "to_number"},
		"conflicts":           {"deny contains {\"msg\": twice} if input.object\n\ntwice := \"a\" if input.object.spec\n\ntwice := \"b\" if input.object.metadata", "conflicting values"},
		"no msg":              {`deny contains {"path": "spec"} if input.object`, "has no msg"},
		"msg is no text":      {`deny contains {"msg": 1} if input.object`, "msg is 1 and no text"},
		"no object":           {`deny contains "m" if input.object`, "is no object with msg"},
		"unknown key":         {`deny contains {"msg": "m", "field": "spec"} if input.object`, `no key "field"`},
		"worse severity":      {`deny contains {"msg": "m", "severity": "critical"} if input.object`, "worse than the medium"},
		"no severity":         {`deny contains {"msg": "m", "severity": "bad"} if input.object`, `no severity "bad"`},
		"no verdict":          {`deny contains {"msg": "m", "verdict": "Bad"} if input.object`, `no verdict "Bad"`},
		"no subject":          {`deny contains {"msg": "m", "subject": {"kind": "Pot", "name": "x"}} if input.object`, "names no object"},
		"details is no text":  {`deny contains {"msg": "m", "details": "d"} if input.object`, `details is "d"`},
		"skip is no text":     {"deny contains {\"msg\": \"m\"} if input.object\n\nskip contains 1 if input.object", "1 is no text"},
		"no kind":             {`deny contains {"msg": "m"} if count(mesh.policies_for(input.object.metadata.name, "shop", "x")) == 0`, `there is no kind "x"`},
		"labels are no texts": {`deny contains {"msg": "m"} if count(mesh.workloads("shop", {"a": object.get(input.object.metadata, "finalizers", 1)})) == 0`, "labels are texts"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pack(t, map[string]string{"bad": c.rule, "good": `deny contains {"msg": "found"} if input.object.spec.action == "DENY"`})
			view, found := asked(t, p, policies.Occasion{}, denyPolicy)
			if len(found) != 1 || found[0].Check != "acme/good" {
				t.Errorf("the other rule falls silent, or this one speaks: %v", found)
			}
			failures := view.TakeFailures()
			if len(failures) != 1 || failures[0].Check != "acme/bad" || !strings.Contains(failures[0].Message, c.want) {
				t.Errorf("want a failure with %q, got %v", c.want, failures)
			}
		})
	}
}

// TestReplacedInput: a rule that asks what would be found of something else changes nothing for the rules that are asked beside it.
func TestReplacedInput(t *testing.T) {
	p := pack(t, map[string]string{
		"a": "deny contains {\"msg\": named} if named == \"other\" with input.object.metadata.name as \"other\"\n\nnamed := input.object.metadata.name",
		"b": `deny contains {"msg": "renamed"} if input.object.metadata.name != "x"`,
		"c": `deny contains {"msg": "named"} if input.object.metadata.name == "x"`,
	})
	_, found := asked(t, p, policies.Occasion{}, denyPolicy)
	var got []string
	for _, f := range found {
		got = append(got, f.Check+" "+f.Message)
	}
	if diff := cmp.Diff([]string{"acme/a x", "acme/c named"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestForever: a rule that loops for ever is stopped, fails, and after a while is not asked any more, neither alone nor with others.
func TestForever(t *testing.T) {
	p := pack(t, map[string]string{
		"loops": "deny contains {\"msg\": \"m\"} if {\n\tsome a in numbers.range(1, 10000)\n\tsome b in numbers.range(1, 10000)\n\ta * b == -1\n}",
		"good":  `deny contains {"msg": "found"} if input.object.spec.action == "DENY"`,
		"too":   `deny contains {"msg": "found"} if input.object.spec.rules`,
	})
	p = Unsieved(p)
	p.budget = 50 * time.Millisecond
	queries := 0
	p.watch.Tracer = func(*mesh.Object) topdown.QueryTracer {
		queries++
		return nil
	}
	text := denyPolicy
	for _, name := range []string{"b", "c", "d", "e", "f"} {
		text += "---" + strings.Replace(denyPolicy, "name: x", "name: "+name, 1)
	}
	all := objectsOf(t, text)
	view := policies.NewView(mesh.New(mesh.Options{}, all...))
	for i, o := range all {
		queries = 0
		found := policies.Evaluate(p.Checks(), view, o)
		failures := view.TakeFailures()
		want := 4 // together, and three alone
		if i >= patience {
			want = 1 // two together
		}
		if queries != want {
			t.Errorf("%d: %d queries, want %d", i, queries, want)
		}
		if len(found) != 2 || len(failures) != 1 || !strings.Contains(failures[0].Message, "ran out of time") {
			t.Fatalf("%d: %v, failures %v", i, found, failures)
		}
		if last := strings.Contains(failures[0].Message, "is not asked any more"); last != (i >= patience) {
			t.Errorf("%d: %s", i, failures[0].Message)
		}
	}
}

// TestPanic: where an evaluation ends in a panic, the rules that are asked next do not take that for nothing found.
func TestPanic(t *testing.T) {
	p := Unsieved(pack(t, map[string]string{"x": `deny contains {"msg": "found"} if input.object.spec`}))
	panics := true
	p.watch.Tracer = func(*mesh.Object) topdown.QueryTracer {
		if panics {
			panic("a mistake of ours")
		}
		return nil
	}
	o := objectsOf(t, denyPolicy)[0]
	view := policies.NewView(mesh.New(mesh.Options{}, o))
	func() {
		defer func() {
			if recover() == nil {
				t.Fatal("no panic")
			}
		}()
		policies.Evaluate(p.Checks(), view, o)
	}()
	panics = false
	if found := policies.Evaluate(p.Checks(), view, o); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}

// TestOver: when the time of the request is over, no rule thinks on.
func TestOver(t *testing.T) {
	p := pack(t, map[string]string{"loops": "deny contains {\"msg\": \"m\"} if {\n\tsome a in numbers.range(1, 10000)\n\tsome b in numbers.range(1, 10000)\n\ta * b == -1\n}"})
	start := time.Now()
	view, _ := asked(t, p, policies.Occasion{Over: func() bool { return time.Since(start) > 10*time.Millisecond }}, denyPolicy)
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %s", took)
	}
	if f := view.TakeFailures(); len(f) != 1 {
		t.Errorf("failures: %v", f)
	}
}

// TestManyFindings: a hundred of them are told, and how many more there are.
func TestManyFindings(t *testing.T) {
	p := pack(t, map[string]string{"many": `deny contains {"msg": sprintf("%04d", [n])} if some n in numbers.range(1, 1234)`})
	_, found := asked(t, p, policies.Occasion{}, denyPolicy)
	if len(found) != most+1 {
		t.Fatalf("%d findings", len(found))
	}
	if found[most-1].Message != "0100" || found[most].Message != "1134 more findings like these are not told." {
		t.Errorf("%q, %q", found[most-1].Message, found[most].Message)
	}
}

// TestMillionFindings: a rule that finds a million things runs out of time, or is cut; it does not go on for ever.
func TestMillionFindings(t *testing.T) {
	p := pack(t, map[string]string{"many": "deny contains {\"msg\": sprintf(\"%d\", [n])} if some n in numbers.range(1, 1000000)"})
	p.budget = 200 * time.Millisecond
	start := time.Now()
	view, found := asked(t, p, policies.Occasion{}, denyPolicy)
	if len(found) > most+1 || len(found) == 0 && len(view.TakeFailures()) != 1 {
		t.Errorf("%d findings, and no failure", len(found))
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestFinding(t *testing.T) {
	p := pack(t, map[string]string{"x": `deny contains {
	"msg": "m", "path": "/spec/rules/0/to", "remedy": "r", "severity": "low", "verdict": e.verdict, "details": {"n": 1, "l": ["a"]},
	"subject": {"kind": "Service", "namespace": "shop", "name": "cart"},
} if some e in input.effects`})
	_, found := asked(t, p, policies.Occasion{}, denyPolicy)
	want := []policies.Finding{{
		Check: "acme/x", Severity: policies.Low, Action: "Warn", Object: mesh.Ref{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "cart"},
		Field: "spec.rules[0].to", Message: "m", Remedy: "r", Details: map[string]any{"n": json.Number("1"), "l": []any{"a"}}, Namespaces: []string{"shop"},
	}}
	if diff := cmp.Diff(want, found, cmpopts.IgnoreFields(policies.Finding{}, "Verdict", "WaitsFor")); diff != "" {
		t.Error(diff)
	}
}

// TestOccasions: a rule is asked in the phases and about the operations that it names, and sees what there is then.
func TestOccasions(t *testing.T) {
	meta := strings.Replace(head, "match: {", "match: {phases: [admission], operations: [UPDATE], ", 1)
	p := pack(t, map[string]string{
		"update": meta + "package acme.update\n\n" + `deny contains {"msg": sprintf("%s %v %s %s", [input.user.username, input.dryRun, input.old.spec.action, input.now])} if input.operation == "UPDATE"`,
		"any":    `deny contains {"msg": input.phase} if input.object`,
	})
	old := objectsOf(t, strings.Replace(denyPolicy, "DENY", "ALLOW", 1))[0]
	now := time.Date(2026, 11, 25, 22, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		occasion policies.Occasion
		want     []string
	}{
		{policies.Occasion{}, []string{"scan"}},
		{policies.Occasion{Phase: policies.AtAudit}, []string{"audit"}},
		{policies.Occasion{Phase: policies.AtAdmission, Operation: "CREATE"}, []string{"admission"}},
		{policies.Occasion{Phase: policies.AtAdmission, Operation: "UPDATE", User: policies.User{Username: "eve"}, DryRun: true, Old: old, Now: now},
			[]string{"admission", "eve true ALLOW 2026-11-25T22:00:00Z"}},
	} {
		view, found := asked(t, p, c.occasion, denyPolicy)
		var got []string
		for _, f := range found {
			got = append(got, f.Message)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || len(view.TakeFailures()) > 0 {
			t.Errorf("%+v: %s", c.occasion, diff)
		}
	}
}

func TestSkip(t *testing.T) {
	p := pack(t, map[string]string{"x": "deny contains {\"msg\": \"m\"} if input.object\n\nskip contains \"it is a DENY\" if input.object.spec.action == \"DENY\""})
	view, found := asked(t, p, policies.Occasion{}, denyPolicy)
	skips := view.TakeSkips()
	if len(found) > 0 || len(skips) != 1 || skips[0].Reason != "it is a DENY" {
		t.Errorf("found %v, skips %v", found, skips)
	}
}

// TestInputIsLeftAlone: rules do not change what they are asked about.
func TestInputIsLeftAlone(t *testing.T) {
	p := pack(t, map[string]string{"x": `deny contains {"msg": "m"} if object.union(input.object, {"spec": {"action": "x"}}).spec.action == "x"`})
	o := objectsOf(t, denyPolicy)[0]
	policies.Evaluate(p.Checks(), policies.NewView(mesh.New(mesh.Options{}, o)), o)
	if diff := cmp.Diff(objectsOf(t, denyPolicy)[0].Content(), o.Content()); diff != "" {
		t.Error(diff)
	}
}

// TestShared: what rules share sees the input as they do.
func TestShared(t *testing.T) {
	p, err := Load(fstest.MapFS{
		"acme/x.rego":        {Data: []byte(head + "package acme.x\n\nimport data.acme.lib.seen\n\ndeny contains {\"msg\": m} if {\n\tinput.object.spec.action == \"DENY\"\n\tm := seen.verdict\n}\n")},
		"acme/x.txtar":       {Data: []byte(scenarios)},
		"acme/lib/seen.rego": {Data: []byte("package acme.lib.seen\n\nverdict := input.effects[0].verdict\n")},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, found := asked(t, p, policies.Occasion{}, denyPolicy); len(found) != 1 || found[0].Message != "Unknown" {
		t.Errorf("found %v", found)
	}
}
