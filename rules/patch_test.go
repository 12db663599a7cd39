package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

const dryRun = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop, annotations: {istio.io/dry-run: "true"}}
spec:
  action: DENY
  rules:
  - from: [{source: {namespaces: [a]}}]
  - to: [{operation: {methods: [GET]}}]
  - from: [{source: {namespaces: [b]}}]
  - to: [{operation: {methods: [PUT]}}]
`

// TestPatch: what a patch is offered for, and what it must show before it is.
func TestPatch(t *testing.T) {
	const finds = "deny contains {\"msg\": sprintf(\"rule %d\", [i])} if {\n\tsome i, rule in input.object.spec.rules\n\trule.to\n}\n\n"
	for name, c := range map[string]struct {
		rule  string
		want  []policies.Op
		wrong string
	}{
		"removes the last first": {finds + "patch contains {\"op\": \"remove\", \"path\": sprintf(\"/spec/rules/%d\", [i])} if {\n\tsome i, rule in input.object.spec.rules\n\trule.to\n}",
			[]policies.Op{{Op: "remove", Path: "/spec/rules/3"}, {Op: "remove", Path: "/spec/rules/1"}}, ""},
		"replaces": {finds + "patch contains {\"op\": \"replace\", \"path\": \"/spec/rules\", \"value\": [{\"from\": [{\"source\": {\"namespaces\": [\"a\"]}}]}]} if input.object.spec.rules[_].to",
			[]policies.Op{{Op: "replace", Path: "/spec/rules", Value: []any{map[string]any{"from": []any{map[string]any{"source": map[string]any{"namespaces": []any{"a"}}}}}}}}, ""},
		"does not apply":     {finds + `patch contains {"op": "remove", "path": "/spec/rules/9"} if input.object`, nil, "does not apply"},
		"leaves the finding": {finds + `patch contains {"op": "remove", "path": "/spec/rules/1"} if input.object`, nil, "still finds something"},
		"unknown field":      {finds + `patch contains {"op": "replace", "path": "/spec/rules", "value": [{"form": []}]} if input.object`, nil, "not valid"},
		"unknown value":      {finds + "patch contains op if {\n\tinput.object\n\tsome op in [{\"op\": \"remove\", \"path\": \"/spec/rules\"}, {\"op\": \"replace\", \"path\": \"/spec/action\", \"value\": \"ALOW\"}]\n}", nil, "not valid"},
		"not idempotent": {finds + "patch contains {\"op\": \"remove\", \"path\": \"/spec/rules\"} if input.object.spec.rules\n\npatch contains {\"op\": \"add\", \"path\": \"/metadata/annotations/n\", \"value\": sprintf(\"%d\", [count(input.object.metadata.annotations)])} if input.object",
			nil, "changes the object again"},
		"another object": {finds + `patch contains {"op": "replace", "path": "/metadata/name", "value": "y"} if input.object`, nil, "another object"},
		"no operation":   {finds + `patch contains {"op": "move", "path": "/spec"} if input.object`, nil, "is no operation"},
		"unknown key":    {finds + `patch contains {"op": "remove", "path": "/spec", "why": "x"} if input.object`, nil, `no key "why"`},
		"errs":           {finds + `patch contains {"op": "remove", "path": sprintf("/%d", [1 / count(object.get(input.object.metadata, "labels", {}))])} if input.object`, nil, "divide by zero"},
		"offers nothing": {finds + `patch contains {"op": "remove", "path": "/spec"} if input.object.spec.action == "ALLOW"`, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			view, found := asked(t, pack(t, map[string]string{"x": c.rule}), policies.Occasion{}, dryRun)
			failures := view.TakeFailures()
			if c.wrong != "" {
				if len(failures) != 1 || !strings.Contains(failures[0].Message, c.wrong) {
					t.Errorf("want a failure with %q, got %v", c.wrong, failures)
				}
				for _, f := range found {
					if len(f.Fixes) > 0 {
						t.Errorf("is offered all the same: %v", f.Fixes)
					}
				}
				return
			}
			if len(failures) > 0 || len(found) != 2 {
				t.Fatalf("found %v, failures %v", found, failures)
			}
			for _, f := range found {
				var got []policies.Op
				for _, x := range f.Fixes {
					got = append(got, x.Patch...)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestDeletion: a rule about deletions is asked with the object as it was, in the mesh without it.
func TestDeletion(t *testing.T) {
	meta := strings.Replace(head, "match: {", "match: {phases: [admission], operations: [DELETE], ", 1)
	p := pack(t, map[string]string{"x": meta + "package acme.x\n\n" + `deny contains {"msg": msg} if {
	input.object == null
	input.old.spec.action == "DENY"
	msg := sprintf("%d are left", [count(mesh.policies("AuthorizationPolicy", "shop"))])
}`})
	o := objectsOf(t, denyPolicy)[0]
	before := mesh.New(mesh.Options{}, o)
	change := &policies.Change{Old: o, Before: policies.NewView(before), After: policies.NewView(before.Without(o))}
	change.After.Occasion = policies.Occasion{Phase: policies.AtAdmission, Operation: "DELETE", Old: o}
	found := policies.EvaluateChange(p.Checks(), change)
	if len(found) != 1 || found[0].Message != "0 are left" || found[0].Object.Name != "x" {
		t.Errorf("found %v, failures %v", found, change.After.TakeFailures())
	}
	change.New = o
	if found := policies.EvaluateChange(p.Checks(), change); len(found) > 0 {
		t.Errorf("an update is taken for a deletion: %v", found)
	}
}
