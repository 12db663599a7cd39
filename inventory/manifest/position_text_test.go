package manifest

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTextPosition: a line of a text within a manifest is found where it is written, if it is a line there.
func TestTextPosition(t *testing.T) {
	const field = "spec.modules[acme/one.rego]"
	for name, c := range map[string]struct {
		text         string
		line, column int
		want         [2]int
	}{
		"a block":                      {"apiVersion: v1\nkind: A\nspec:\n  modules:\n    acme/one.rego: |\n      package acme.one\n\n      deny if x\n", 3, 6, [2]int{8, 12}},
		"one without an end":           {"apiVersion: v1\nkind: A\nspec:\n  modules:\n    acme/one.rego: |-\n      package acme.one\n", 1, 1, [2]int{6, 7}},
		"one that begins with a space": {"apiVersion: v1\nkind: A\nspec:\n  modules:\n    acme/one.rego: |2\n        package acme.one\n", 1, 3, [2]int{6, 9}},
		"one that begins with nothing": {"apiVersion: v1\nkind: A\nspec:\n  modules:\n    acme/one.rego: |\n\n      package acme.one\n", 2, 1, [2]int{7, 7}},
		"in a List":                    {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  spec:\n    modules:\n      acme/one.rego: |\n        package acme.one\n        x\n", 2, 1, [2]int{10, 9}},
		"the second document":          {"apiVersion: v1\nkind: B\n---\napiVersion: v1\nkind: A\nspec:\n  modules:\n    acme/one.rego: |\n      package acme.one\n", 1, 9, [2]int{9, 15}},
		"an anchor":                    {"apiVersion: v1\nkind: A\ntexts: [&x \"y\"]\nspec:\n  modules:\n    acme/one.rego: *x\n", 1, 1, [2]int{6, 5}},
		"folded":                       {"apiVersion: v1\nkind: A\nspec:\n  modules:\n    acme/one.rego: >\n      package acme.one\n      deny\n", 1, 9, [2]int{5, 5}},
		"quoted":                       {"apiVersion: v1\nkind: A\nspec:\n  modules:\n    acme/one.rego: \"package acme.one\\n\\ndeny if x\"\n", 3, 1, [2]int{5, 5}},
		"JSON":                         {`{"apiVersion": "v1", "kind": "A", "spec": {"modules": {"acme/one.rego": "package acme.one\nx"}}}`, 2, 1, [2]int{1, 56}},
		"the whole":                    {"apiVersion: v1\nkind: A\nspec:\n  modules:\n    acme/one.rego: |\n      package acme.one\n", 0, 0, [2]int{5, 5}},
		"another file":                 {"apiVersion: v1\nkind: A\nspec:\n  modules:\n    acme/two.rego: |\n      package acme.two\n", 1, 1, [2]int{4, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "m.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			found, err := Load(Options{}, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range found.Documents {
				if d.Content["kind"] != "A" {
					continue
				}
				if line, column := d.TextPosition(field, c.line, c.column); [2]int{line, column} != c.want {
					t.Errorf("%d:%d, want %v", line, column, c.want)
				}
				return
			}
			t.Fatalf("nothing is read: %v", found.Problems)
		})
	}
}
