package audit

import (
	"bytes"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// TestRepairAllConverges repairs every scenario of every check as a file: what is written can be read, says what was
// judged, and has nothing more to repair.
func TestRepairAllConverges(t *testing.T) {
	files, err := scenario.Load(checks.Scenarios, "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	repairs := 0
	for _, f := range files {
		for _, cs := range f.Cases {
			t.Run(f.Name+"/"+cs.Name, func(t *testing.T) {
				text := stream(t, cs.Snapshot)
				first := repairText(t, &text)
				repairs += len(first.Repairs)
				once := bytes.Clone(text)
				if second := repairText(t, &text); len(second.Repairs) > 0 {
					t.Errorf("a second time there is something to repair: %s", second.Repairs[0].Fix.Message)
				}
				if !bytes.Equal(once, text) {
					t.Errorf("a second time the text changes:\n%s\n---- was\n%s", text, once)
				}
			})
		}
	}
	if repairs == 0 {
		t.Error("no scenario has anything to repair")
	}
}

func stream(t *testing.T, s *mesh.Snapshot) []byte {
	t.Helper()
	var out []byte
	for o := range s.Objects() {
		raw, err := yaml.Marshal(o.Content())
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, "---\n"...), raw...)
	}
	return out
}

// repairText repairs a stream in place.
func repairText(t *testing.T, text *[]byte) *Repaired {
	t.Helper()
	inv, err := inventory.Files(inventory.FileOptions{Stdin: bytes.NewReader(*text)}, "-")
	if err != nil {
		t.Fatal(err)
	}
	r := RepairAll(inv, Options{}, func(mesh.Ref) bool { return false })
	var changes []manifest.Change
	for _, x := range r.Repairs {
		var ops []manifest.Op
		for _, op := range x.Fix.Patch {
			ops = append(ops, manifest.Op{Op: op.Op, Path: op.Path, Value: op.Value})
		}
		changes = append(changes, x.Document.Change(ops...))
	}
	if *text, err = manifest.Edit(*text, changes...); err != nil {
		t.Fatal(err)
	}
	return r
}
