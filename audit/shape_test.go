package audit

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/scenario"
)

// shape is the contract of -o json: the fields of everything in it, by where it stands. A field in
// brackets may be absent; one with ? may be null. Programs read it, so nothing is ever taken away.
var shape = map[string]string{
	"":                        "apiVersion bindings effects errors findings ignored kind summary unread",
	"summary":                 "checks findings objects policies",
	"summary.findings":        "critical high info low medium",
	"effects":                 "by? enforcedBy location? message object reason target verdict waitsFor [workloads]",
	"effects.by":              "kind name namespace",
	"effects.object":          "apiVersion kind name [namespace]",
	"effects.target":          "kind [labels] [name] [namespace]",
	"effects.waitsFor":        "[label] [labels] [object] [on]",
	"effects.waitsFor.on":     "kind [name] [namespace]",
	"effects.location":        "column file line",
	"bindings":                "askedBy bound ingress location? message object reason waypoint?",
	"bindings.object":         "apiVersion kind name namespace",
	"bindings.waypoint":       "kind name namespace",
	"bindings.location":       "column file line",
	"findings":                "action check exempt field fixes location? message object related remedy severity verdict",
	"findings.object":         "apiVersion kind name [namespace]",
	"findings.location":       "column file line",
	"findings.fixes":          "apply message patch",
	"findings.fixes.patch":    "op path [value]",
	"effects.waitsFor.object": "[apiVersion] kind [name] [namespace]",
	"findings.related":        "[apiVersion] kind name [namespace]",
}

// TestShape holds the JSON of the corpus and of every scenario to the contract.
func TestShape(t *testing.T) {
	inputs := []*inventory.Inventory{read(t, "../test/corpus/testdata/mesh-a/mesh.yaml")}
	files, err := scenario.Load(checks.Scenarios, "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, cs := range f.Cases {
			inputs = append(inputs, fromText(t, stream(t, cs.Snapshot)))
		}
	}
	s := shapes{t, map[string]bool{}}
	for _, inv := range inputs {
		var out map[string]any
		if err := json.Unmarshal([]byte(asJSON(t, Scan(inv, Options{}))), &out); err != nil {
			t.Fatal(err)
		}
		s.object("", out)
		if t.Failed() {
			return // the next would say the same
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(shape)), slices.Sorted(maps.Keys(s.seen))); diff != "" {
		t.Errorf("the input does not show all of the contract (-contract +shown):\n%s", diff)
	}
}

type shapes struct {
	*testing.T
	seen map[string]bool
}

func (s shapes) object(path string, got map[string]any) {
	want, known := shape[path]
	if !known {
		return // free-form, as labels and values are
	}
	s.seen[path] = true
	allowed := map[string]bool{}
	for _, word := range strings.Fields(want) {
		name := strings.Trim(word, "[]?")
		allowed[name] = true
		v, there := got[name]
		if !there && !strings.HasPrefix(word, "[") {
			s.Errorf("%q: field %s is absent: %v", path, name, got)
		}
		if there && v == nil && !strings.HasSuffix(word, "?") {
			s.Errorf("%q: field %s is null: %v", path, name, got)
		}
	}
	for name, v := range got {
		if !allowed[name] {
			s.Errorf("%q: field %s is not in the contract: %v", path, name, got)
		}
		s.value(strings.TrimPrefix(path+"."+name, "."), v)
	}
}

func (s shapes) value(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		s.object(path, v)
	case []any:
		for _, item := range v {
			s.value(path, item)
		}
	}
}
