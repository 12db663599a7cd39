package audit

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// TestInputsStayUntouched asks everything of every scenario, and compares each object afterwards with
// a twin that was read from the same text and that nobody was asked about: its content, its decoded
// spec, its labels. Objects are shared between goroutines and Snapshots, so a single write would be a race.
func TestInputsStayUntouched(t *testing.T) {
	files, err := scenario.Load(checks.Scenarios, "*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, f := range files {
		for _, cs := range f.Cases {
			text := stream(t, cs.Snapshot)
			asked, twin := fromText(t, text), fromText(t, text)
			askEverything(asked)
			if len(asked.Objects) != len(twin.Objects) {
				t.Fatalf("%s %s: %d objects before, %d after", f.Name, cs.Name, len(twin.Objects), len(asked.Objects))
			}
			for i, o := range asked.Objects {
				compared++
				if !reflect.DeepEqual(o, twin.Objects[i]) {
					t.Errorf("%s %s: %s was written to:\nbefore %+v\nafter  %+v", f.Name, cs.Name, o, *twin.Objects[i], *o)
				}
			}
		}
	}
	if compared < 2000 {
		t.Errorf("only %d objects, so this shows little", compared)
	}
}

func fromText(t *testing.T, text []byte) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Files(inventory.FileOptions{Stdin: bytes.NewReader(text)}, "-")
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// askEverything asks all that a command asks.
func askEverything(inv *inventory.Inventory) {
	Scan(inv, Options{})
	s := mesh.New(mesh.Options{}, inv.Objects...)
	for _, o := range inv.Objects {
		Explain(inv, s, o, Rules{})
	}
	Plan(inv, mesh.Options{})
	RepairAll(inv, Options{}, func(mesh.Ref) bool { return false })
}
