package controls

import "testing"

func TestFamily(t *testing.T) {
	for _, tc := range []struct{ framework, id, want, title string }{
		{NIST80053, "AC-3(13)", "AC", "Access Control"},
		{"pci-dss-4.0.1", "4.2.1.1", "Requirement 4", ""},
		{"pci-dss-4.0.1", "10.7.2", "Requirement 10", ""},
		{"pci-dss-4.0.1", "A1.1.3", "A1", ""},
		{"soc2", "CC6.1", "CC6", ""},
		{"iso-27001-2022", "A.8.20", "A.8", ""},
		{"hipaa", "164.312(a)(1)", "164", ""},
		{"nist-800-204b", "EUAZ-SR-1", "EUAZ-SR", ""},
		{"nist-800-207a", "ID-SEG-REC-1", "ID-SEG-REC", ""},
		{"cisa-ztmm-2", "NW: Traffic Encryption", "NW", ""},
		{"cis-kubernetes-2.0.1", "5.1.10", "5", ""},
		{"acme", "NET-1", "NET", ""},
		{"acme", "Reviewed", "", ""},
		{"pci-dss-4.0.1", ".", "", ""},
		{"acme", "-", "", ""},
		{"acme", "(a)", "", ""},
	} {
		if family, title := Family(tc.framework, tc.id); family != tc.want || title != tc.title {
			t.Errorf("%s %s is of family %q %q, want %q %q", tc.framework, tc.id, family, title, tc.want, tc.title)
		}
	}
	for _, c := range Find(NIST80053).Controls {
		if _, title := Family(NIST80053, c.ID); title == "" {
			t.Errorf("%s is of no family that NIST has", c.ID)
		}
	}
}
