package controls

import "strings"

// pciDSS calls what its controls are divided among requirements, and what is added to them A1 and so on.
const pciDSS = "pci-dss-4.0.1"

// families are those of NIST SP 800-53 Revision 5, table 1.
var families = map[string]string{
	"AC": "Access Control", "AT": "Awareness and Training", "AU": "Audit and Accountability", "CA": "Assessment, Authorization, and Monitoring",
	"CM": "Configuration Management", "CP": "Contingency Planning", "IA": "Identification and Authentication", "IR": "Incident Response",
	"MA": "Maintenance", "MP": "Media Protection", "PE": "Physical and Environmental Protection", "PL": "Planning", "PM": "Program Management",
	"PS": "Personnel Security", "PT": "Personally Identifiable Information Processing and Transparency", "RA": "Risk Assessment",
	"SA": "System and Services Acquisition", "SC": "System and Communications Protection", "SI": "System and Information Integrity",
	"SR": "Supply Chain Risk Management",
}

// Family is what a control's ID begins with that those next to it begin with too, as in "AC" of "AC-3(1)", "CC6" of "CC6.1" or "AW" of
// "AW: Application Access"; "" for an ID that has no parts. title is what the framework calls it, where that may be shipped.
func Family(framework, id string) (family, title string) {
	if pillar, _, ok := strings.Cut(id, ": "); ok {
		return pillar, ""
	}
	bare, _, _ := strings.Cut(id, "(")
	if framework == NIST80053 {
		family, _, _ = strings.Cut(bare, "-")
		return family, families[family]
	}
	if number, _, ok := strings.Cut(bare, "."); ok && framework == pciDSS && !strings.HasPrefix(number, "A") && number != "" {
		return "Requirement " + number, ""
	}
	parts := strings.FieldsFunc(bare, func(r rune) bool { return r == '.' || r == '-' })
	if len(parts) < 2 {
		return "", ""
	}
	// Of "A.8.20" it is "A.8", of "5.1.2" it is "5", of "ID-SEG-REC-1" it is "ID-SEG-REC".
	n := len(parts) - 1
	if strings.ContainsRune(bare, '.') && len(parts[0]) > 1 || parts[0][0] >= '0' && parts[0][0] <= '9' {
		n = 1
	}
	return strings.TrimRight(bare[:ends(bare, n)], ".-"), ""
}

// ends is where the nth part of an ID ends.
func ends(id string, n int) int {
	for i, r := range id {
		if r == '.' || r == '-' {
			if n--; n == 0 {
				return i
			}
		}
	}
	return len(id)
}
