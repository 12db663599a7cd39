package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/waywarden/waywarden/policies/mesh"
)

// authoredNames are the Guardrails and Exemptions, in their order.
func authoredNames(inv *Inventory) []string {
	var out []string
	for _, g := range inv.Guardrails {
		out = append(out, "Guardrail "+g.Name)
	}
	for _, e := range inv.Exemptions {
		out = append(out, "Exemption "+e.Namespace+"/"+e.Name)
	}
	return out
}

func archive(t *testing.T, name string) []txtar.File {
	t.Helper()
	a, err := txtar.ParseFile("../api/v1alpha1/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return a.Files
}

// TestAuthoredTaken: what an API server takes is read, and is no part of the mesh.
func TestAuthoredTaken(t *testing.T) {
	var docs []string
	for _, f := range archive(t, "taken.txtar") {
		docs = append(docs, string(f.Data))
	}
	write(t, "-- a.yaml --\n"+strings.Join(docs, "---\n"))
	inv, err := Files(FileOptions{}, "a.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Guardrail production", "Guardrail everywhere", "Exemption default/legacy-audit", "Exemption default/kind-only"}
	if diff := cmp.Diff(want, authoredNames(inv)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(inv.Problems)+len(inv.Objects)+len(inv.Ignored) > 0 {
		t.Errorf("problems %v, objects %v, ignored %v", inv.Problems, names(inv), inv.Ignored)
	}
	file, line, column, ok := inv.Position(mesh.Ref{APIVersion: "waywarden.dev/v1alpha1", Kind: "Exemption", Namespace: "default", Name: "kind-only"}, "spec.expiresAt")
	if got := fmt.Sprint(file, " ", line, " ", column, " ", ok); got != "a.yaml 60 3 true" {
		t.Errorf("spec.expiresAt is at %s", got)
	}
}

// TestAuthoredRefused: what an API server refuses is a Problem at the field, and is not applied.
func TestAuthoredRefused(t *testing.T) {
	for _, f := range append(archive(t, "refused.txtar"), archive(t, "beyond.txtar")...) {
		t.Run(f.Name, func(t *testing.T) {
			write(t, "-- a.yaml --\n"+string(f.Data))
			first, _, _ := strings.Cut(string(f.Data), "\n")
			want := strings.TrimPrefix(first, "# ")
			inv, err := Files(FileOptions{}, "a.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if len(inv.Problems) != 1 || !strings.HasPrefix(inv.Problems[0].Field, want) {
				t.Fatalf("%v, want one problem at %s", inv.Problems, want)
			}
			p := inv.Problems[0]
			if p.Line < 2 || p.Column < 1 || !strings.Contains(p.Message, " is not applied: ") || !strings.Contains(p.Message, ". Correct it.") {
				t.Errorf("%v", p)
			}
			if got := authoredNames(inv); len(got) > 0 {
				t.Errorf("%v are applied", got)
			}
		})
	}
}

func TestAuthoredProblems(t *testing.T) {
	const rest = "spec:\n  checks:\n  - ids: [\"*\"]\n    action: Deny\n"
	for name, c := range map[string]struct{ text, want string }{
		"an unknown field": {"apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: a}\n" + rest + "    severity: high\n",
			"a.yaml:8:5: spec.checks[0].severity: Guardrail a is not applied: there is no field spec.checks[0].severity in it. Correct its name, or remove it."},
		"an unknown field of the metadata": {"apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: a, lables: {}}\n" + rest,
			"a.yaml:3:21: metadata.lables: Guardrail a is not applied: there is no field metadata.lables in it. Correct its name, or remove it."},
		"a string for a list": {"apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: a}\nspec:\n  checks:\n  - ids: effect/*\n    action: Deny\n",
			"a.yaml:5:3: spec.checks.ids: Guardrail a is not applied: spec.checks.ids must be a list and is a string. Correct it."},
		"a list for a mapping": {"apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: a}\nspec: []\n",
			"a.yaml:4:1: spec: Guardrail a is not applied: spec must be a mapping and is a list. Correct it."},
		"YAML 1.1's off": {"apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: a}\nspec:\n  checks:\n  - ids: [\"*\"]\n    action: Off\n",
			"a.yaml:5:3: spec.checks.action: Guardrail a is not applied: spec.checks.action must be a string and is true or false. Quote it: YAML reads words such as Off as false."},
		"another version": {"apiVersion: waywarden.dev/v1\nkind: Exemption\nmetadata: {name: a}\n",
			"a.yaml:1:1: apiVersion: Exemption shop/a is not applied: apiVersion must be waywarden.dev/v1alpha1 and is waywarden.dev/v1. Correct it."},
		"no name": {"apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {}\n" + rest,
			"a.yaml:3:1: metadata: the Guardrail is not applied: it has no name. Give it metadata.name."},
		"a number for a time": {"apiVersion: waywarden.dev/v1alpha1\nkind: Exemption\nmetadata: {name: a}\nspec:\n  expiresAt: 2027\n",
			"a.yaml:5:3: spec.expiresAt: Exemption shop/a is not applied: spec.expiresAt must be a time, as in 2027-01-31T00:00:00Z, and is 2027. Correct it."},
		"twice": {"apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: a}\n" + rest + "---\napiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: a}\n" + rest,
			"a.yaml:3:12: metadata.name: Guardrail a is not applied as it stands here: it stands again at a.yaml:11:12, and the last one counts. Remove one of the two."},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, "-- a.yaml --\n"+c.text)
			inv, err := Files(FileOptions{DefaultNamespace: "shop"}, "a.yaml")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range inv.Problems {
				got = append(got, p.Error())
			}
			if diff := cmp.Diff([]string{c.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// authoring are the answers of an API server that serves Guardrails and Exemptions, but for those of the lists.
func authoring(lists map[string]string) map[string]string {
	out := map[string]string{
		"200 /apis": `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"waywarden.dev","versions":[{"groupVersion":"waywarden.dev/v1alpha1","version":"v1alpha1"}],` +
			`"preferredVersion":{"groupVersion":"waywarden.dev/v1alpha1","version":"v1alpha1"}}]}`,
		"200 /apis/waywarden.dev/v1alpha1": `{"kind":"APIResourceList","groupVersion":"waywarden.dev/v1alpha1","resources":[` +
			`{"name":"guardrails","namespaced":false,"kind":"Guardrail","verbs":["get","list","watch"]},{"name":"exemptions","namespaced":true,"kind":"Exemption","verbs":["get","list","watch"]}]}`,
	}
	for k, v := range lists {
		out[k] = v
	}
	return out
}

const (
	asStored = `{"apiVersion":"waywarden.dev/v1alpha1","kind":"%s","metadata":{"name":"%s"%s,"managedFields":[{"manager":"kubectl"}]},"spec":%s}`
	page     = `{"kind":"%sList","apiVersion":"waywarden.dev/v1alpha1","metadata":{"continue":"%s"},"items":[%s]}`

	forbidden = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"forbidden"}`
)

func storedGuardrail(name, action string) string {
	return fmt.Sprintf(asStored, "Guardrail", name, "", `{"checks":[{"ids":["*"],"action":"`+action+`"}]}`)
}

func storedExemption(name string) string {
	return fmt.Sprintf(asStored, "Exemption", name, `,"namespace":"shop"`, `{"checks":["*"],"subjects":[{"kind":"Service"}],"reason":"x","expiresAt":"2027-01-31T00:00:00Z"}`)
}

func TestListAuthored(t *testing.T) {
	const at = "/apis/waywarden.dev/v1alpha1"
	exemptions := fmt.Sprintf(page, "Exemption", "", storedExemption("e"))
	for name, c := range map[string]struct {
		lists                  map[string]string
		want, unread, problems []string
	}{
		"in pages": {map[string]string{
			"200 " + at + "/guardrails":            fmt.Sprintf(page, "Guardrail", "2", storedGuardrail("a", "Deny")),
			"200 " + at + "/guardrails?continue=2": fmt.Sprintf(page, "Guardrail", "", storedGuardrail("b", "Off")),
			"200 " + at + "/exemptions":            exemptions,
		}, []string{"Guardrail a", "Guardrail b", "Exemption shop/e"}, nil, nil},
		"not served": {map[string]string{}, nil, nil, nil},
		"may not be listed": {map[string]string{
			"403 " + at + "/guardrails": forbidden, "403 " + at + "/exemptions": forbidden,
		}, nil, []string{"guardrails.waywarden.dev: it may not be listed", "exemptions.waywarden.dev: it may not be listed"}, nil},
		"in one namespace": {map[string]string{
			"403 " + at + "/exemptions": forbidden, "200 " + at + "/namespaces/shop/exemptions": exemptions,
		}, []string{"Exemption shop/e"}, []string{"exemptions.waywarden.dev: it may be listed in namespace shop only"}, nil},
		"not well formed": {map[string]string{
			"200 " + at + "/guardrails": fmt.Sprintf(page, "Guardrail", "", storedGuardrail("a", "Block")+","+storedGuardrail("b", "Warn")),
		}, []string{"Guardrail b"}, nil, []string{`the cluster: spec.checks[0].action: Guardrail a is not applied: spec.checks[0].action must be Deny, Warn, Audit or Off and is "Block". Correct it.`}},
	} {
		t.Run(name, func(t *testing.T) {
			inv := startAPIServer(t, authoring(c.lists)).list(ListOptions{Namespace: "shop"})
			var unread, problems []string
			for _, u := range inv.Unread {
				unread = append(unread, u.Resource+": "+u.Why)
			}
			for _, p := range inv.Problems {
				problems = append(problems, p.Error())
			}
			if diff := cmp.Diff([][]string{c.want, c.unread, c.problems}, [][]string{authoredNames(inv), unread, problems}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(names(inv)) == 0 {
				t.Error("the rest of the cluster was not read")
			}
			// That Guardrails may not be listed makes nothing of the mesh unknown.
			if !strings.Contains(strings.Join(names(inv), " "), "Namespace shop") {
				t.Errorf("Namespace shop is not known: %v", names(inv))
			}
		})
	}
}

// TestAuthoredCompleted: files win over the cluster, and what only the cluster has stays.
func TestAuthoredCompleted(t *testing.T) {
	live := startAPIServer(t, authoring(map[string]string{
		"200 /apis/waywarden.dev/v1alpha1/guardrails": fmt.Sprintf(page, "Guardrail", "", storedGuardrail("a", "Deny")+","+storedGuardrail("b", "Warn")),
	})).list(ListOptions{})
	write(t, "-- a.yaml --\napiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: a}\nspec: {checks: [{ids: [\"*\"], action: Audit}]}\n")
	files, err := Files(FileOptions{}, "a.yaml")
	if err != nil {
		t.Fatal(err)
	}
	both := files.CompletedBy(live)
	if diff := cmp.Diff([]string{"Guardrail a", "Guardrail b"}, authoredNames(both)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := both.Guardrails[0].Spec.Checks[0].Action; got != "Audit" {
		t.Errorf("Guardrail a says %s, not what the file says", got)
	}
	if _, line, _, ok := both.Position(mesh.Ref{Kind: "Guardrail", Name: "a"}, "spec.checks[0].action"); !ok || line != 4 {
		t.Errorf("its action is at line %d (%v)", line, ok)
	}
}

// FuzzAuthored: whatever stands in a file, it is read or a Problem, and what is read is well formed.
func FuzzAuthored(f *testing.F) {
	for _, name := range []string{"taken.txtar", "refused.txtar", "beyond.txtar"} {
		a, err := txtar.ParseFile("../api/v1alpha1/testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			f.Add(string(file.Data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := Files(FileOptions{Stdin: strings.NewReader(text), MaxBytes: 1 << 20}, "-")
		if err != nil {
			return
		}
		for _, g := range inv.Guardrails {
			if faults := g.Validate(); len(faults) > 0 || g.Name == "" {
				t.Errorf("Guardrail %q is read with %v", g.Name, faults)
			}
		}
		for _, e := range inv.Exemptions {
			if faults := e.Validate(); len(faults) > 0 || e.Name == "" || e.Namespace == "" {
				t.Errorf("Exemption %q is read with %v", e.Name, faults)
			}
		}
		for _, p := range inv.Problems {
			if p.Message == "" {
				t.Errorf("a problem without a message: %+v", p)
			}
		}
	})
}
