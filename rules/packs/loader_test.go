package packs

import (
	"testing"
)

// TestTogether: where two packs have rules of one name, and that should not be, those of the older one are asked.
func TestTogether(t *testing.T) {
	older, newer := compiled(t, "input.object.spec"), compiled(t, "input.object.kind")
	older.Name, newer.Name = "zebra", "ant"
	got := NewLoader(LoaderOptions{}).together([]*InForce{older, newer}) // as listed has them
	if len(got.checks) != 1 || got.checks[0] != older.Checks[0] {
		t.Errorf("asked is %d of the newer one", len(got.checks))
	}
	if got.of("ant") != newer || got.of("zebra") != older || got.of("none") != nil {
		t.Error("what is in force is not found by its name")
	}
}
