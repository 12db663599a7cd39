package controls

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCatalogue(t *testing.T) {
	var ids []string
	for _, f := range Frameworks() {
		ids = append(ids, f.ID)
		if f.Title == "" || len(f.Controls) == 0 {
			t.Errorf("%s has no title or no controls", f.ID)
		}
	}
	want := []string{"nist-800-53-r5", "pci-dss-4.0.1", "soc2", "iso-27001-2022", "hipaa", "nist-800-204b", "nist-800-207a", "cisa-ztmm-2", "cis-kubernetes-2.0.1"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
	if n := len(Find(NIST80053).Controls); n != 1189 {
		t.Errorf("%d controls of NIST SP 800-53, want 1189", n)
	}
}

func TestControl(t *testing.T) {
	for _, c := range []struct {
		framework, id string
		want          Control
		ok            bool
	}{
		{NIST80053, "SC-8(1)", Control{ID: "SC-8(1)", OSCAL: "sc-8.1", Title: "Cryptographic Protection", Baselines: []string{"MODERATE", "HIGH"}}, true},
		{NIST80053, "sc-8.1", Control{}, false},
		{NIST80053, "AC-99", Control{}, false},
		{"soc2", "CC6.1", Control{ID: "CC6.1"}, true},
		{"soc2", "CC9.9", Control{}, false},
		{"pci-dss-4.0.1", "10.2.1.4", Control{ID: "10.2.1.4"}, true},
		{"cis-kubernetes-2.0.1", "5.1.10", Control{ID: "5.1.10"}, true},
		{"cisa-ztmm-2", "NW: Traffic Encryption", Control{ID: "NW: Traffic Encryption"}, true},
	} {
		got, ok := Find(c.framework).Control(c.id)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%s %s: %v %s", c.framework, c.id, ok, diff)
		}
	}
	if Find("nist-800-53-r4") != nil {
		t.Error("there is a framework that is not shipped")
	}
}

// TestFrameworksAreHeldToTheirIDs: a file that names a control twice, or has a field that nobody reads, is a mistake.
func TestFrameworksAreHeldToTheirIDs(t *testing.T) {
	for name, text := range map[string]string{
		"twice":   "[{id: x, title: X, controls: [A1, A1]}]",
		"no ID":   `[{id: x, title: X, controls: [""]}]`,
		"unknown": "[{id: x, title: X, control: [A1]}]",
	} {
		if _, err := readCited([]byte(text)); err == nil {
			t.Errorf("%s: is read", name)
		}
	}
}
