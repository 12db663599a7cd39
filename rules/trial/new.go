package trial

import (
	"fmt"
	"path"
	"strings"
	"testing/fstest"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
)

// Beginning is what a new rule is to be.
type Beginning struct {
	// ID is as in "acme/no-latest".
	ID       string
	Kinds    []mesh.Kind
	Severity policies.Severity
	// Library allows an ID of the library.
	Library bool
}

// Begun is a new rule and its scenarios, by the paths that belong to its package.
type Begun struct {
	Rego, Scenarios string // paths, as in "acme/no_latest.rego"
	Files           map[string][]byte
}

// Begin writes a rule that works, to be made into another one: it finds objects without a label. It is loaded and asked before
// it is returned, so that it passes whatever is demanded of rules. The error is why there can be no such rule.
func Begin(b Beginning) (Begun, error) {
	pkg := rules.PackagePath(b.ID)
	out := Begun{Rego: pkg + ".rego", Scenarios: pkg + ".txtar", Files: map[string][]byte{}}
	out.Files[out.Rego] = rules.Format([]byte(b.rego(pkg)))
	out.Files[out.Scenarios] = []byte(b.scenarios())
	fsys := fstest.MapFS{}
	for name, data := range out.Files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	pack, refusals, err := rules.Check(fsys, rules.Options{Library: b.Library})
	switch {
	case err != nil:
		return Begun{}, err
	case len(refusals) > 0:
		return Begun{}, fmt.Errorf("%s: %s", b.ID, refusals[0].Message)
	}
	result := run(pack, pack.Rules[0], Options{Updating: true})
	if result.Failed() {
		return Begun{}, fmt.Errorf("%s: the example is not judged as it should be: %s", b.ID, strings.Join(result.problems(), " "))
	}
	out.Files[out.Scenarios] = result.Update()
	return out, nil
}

func (r *Result) problems() []string {
	var out []string
	for _, c := range r.Cases {
		for _, p := range c.Problems {
			out = append(out, c.Name+": "+p)
		}
	}
	return out
}

func (b Beginning) rego(pkg string) string {
	var kinds []string
	name := "input.object.metadata.name"
	for _, k := range b.Kinds {
		kinds = append(kinds, rules.KindName(k))
		if k.MadeByControllers() { // of which those that something owns show no name
			name = `object.get(input.object.metadata, "name", "of an owner")`
		}
	}
	return fmt.Sprintf(`# METADATA
# title: Nobody answers for it
# description: |
#   An object without an owner is one that nobody keeps. Say here what is wrong where the rule finds something, and why it
#   matters, for a person who reads a finding.
# custom:
#   severity: %s
#   match: {kinds: [%s]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       label: {type: string, default: owner, description: the label that names the owner}
#   remediation: Give it the label, with the team that answers for it.
package %s

deny contains v if {
	not input.object.metadata.labels[input.params.label]
	v := {
		"msg": sprintf("nobody answers for %%s %%s: it has no label %%q.", [input.object.kind, %s, input.params.label]),
		"path": "metadata.labels",
	}
}
`, b.Severity, strings.Join(kinds, ", "), strings.ReplaceAll(pkg, "/", "."), name)
}

func (b Beginning) scenarios() string {
	var out strings.Builder
	fmt.Fprintf(&out, "Objects with an owner, and without.\n-- mesh.yaml --\n%s", exampleOf(mesh.Namespace, "shop", true))
	for _, ok := range []bool{true, false} {
		for _, k := range b.Kinds {
			prefix := "bad"
			if ok {
				prefix = "ok"
			}
			fmt.Fprintf(&out, "-- %s-%s.yaml --\n%s", prefix, strings.ToLower(k.String()), exampleOf(k, "example", ok))
		}
	}
	return out.String()
}

// exampleOf is an object of a kind that says as little as it may.
func exampleOf(k mesh.Kind, name string, owned bool) string {
	metadata := "name: " + name
	if k.Namespaced() {
		metadata += ", namespace: shop"
	}
	switch {
	case owned && k == mesh.Namespace:
		metadata += ", labels: {owner: shop-team, istio.io/dataplane-mode: ambient}"
	case owned:
		metadata += ", labels: {owner: shop-team}"
	}
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {%s}\n", k.APIVersion(), k, metadata)
}

// Beside is the path of the file of a pack's folder: a folder that is named as the first part of the packages has it left out.
func Beside(file, folder string) string {
	if rest, ok := strings.CutPrefix(file, path.Base(folder)+"/"); ok && strings.Contains(rest, "/") {
		return rest
	}
	return file
}
