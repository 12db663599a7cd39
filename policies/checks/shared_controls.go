package checks

import (
	"slices"

	"github.com/waywarden/waywarden/policies"
)

// For which controls of which frameworks the answer of a check is evidence: sets that checks name, so that all that ask
// the same of a mesh speak of the same controls. That a control is in a set means that an auditor who looks at it will want
// to see the answer, never that the answer alone satisfies it.

// encryption is that nobody on the way can read or change calls.
func encryption() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"SC-8", "SC-8(1)", "SC-13"}, "pci-dss-4.0.1": {"4.2.1", "2.2.7"}, "soc2": {"CC6.1", "CC6.7"},
		"iso-27001-2022": {"A.5.14", "A.8.20", "A.8.24"}, "hipaa": {"164.312(e)(1)"}, "cisa-ztmm-2": {"NW: Traffic Encryption"},
		"nist-800-204b": {"SAUN-SR-1"}, "nist-800-207a": {"ID-SEG-REC-1"},
	}
}

// serviceIdentity is that a caller is who it says.
func serviceIdentity() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"IA-9", "IA-3", "IA-3(1)", "SC-23"}, "pci-dss-4.0.1": {"7.2.5"}, "soc2": {"CC6.1"},
		"iso-27001-2022": {"A.5.16", "A.8.5"}, "hipaa": {"164.312(d)"}, "cisa-ztmm-2": {"ID: Authentication"},
		"nist-800-204b": {"SAUN-SR-1", "SAUN-SR-2"}, "nist-800-207a": {"ID-SEG-REC-2"},
	}
}

// authorization is that callers can do what they were granted, and nothing else.
func authorization() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"AC-3", "AC-4", "AC-24"}, "pci-dss-4.0.1": {"7.2.5", "7.3.1", "7.3.2"}, "soc2": {"CC6.1", "CC6.3"},
		"iso-27001-2022": {"A.5.15", "A.8.3"}, "hipaa": {"164.312(a)(1)"}, "cisa-ztmm-2": {"AW: Application Access"},
		"nist-800-204b": {"SAUZ-SR-1", "APE-SR-1"}, "nist-800-207a": {"ID-SEG-REC-3"},
	}
}

// defaultDeny is that what was not granted is denied.
func defaultDeny() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"SC-7(5)", "AC-3", "AC-4"}, "pci-dss-4.0.1": {"7.3.3", "1.3.1"}, "soc2": {"CC6.1", "CC6.6"},
		"iso-27001-2022": {"A.8.20", "A.8.22"}, "hipaa": {"164.312(a)(1)"}, "cisa-ztmm-2": {"NW: Network Segmentation"},
		"nist-800-204b": {"APE-SR-3", "SAUZ-SR-1"}, "nist-800-207a": {"ID-SEG-REC-3"},
	}
}

// leastPrivilege is that no more is granted than is needed.
func leastPrivilege() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"AC-6", "AC-3"}, "pci-dss-4.0.1": {"7.2.5", "7.2.2"}, "soc2": {"CC6.3"},
		"iso-27001-2022": {"A.5.15", "A.8.2", "A.8.3"}, "hipaa": {"164.312(a)(1)"}, "cisa-ztmm-2": {"ID: Access Management"},
		"nist-800-204b": {"SAUZ-SR-1", "APE-SR-2"},
	}
}

// segmentation is that parts of the mesh are kept apart.
func segmentation() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"SC-7", "SC-7(21)", "AC-4", "AC-4(21)"}, "pci-dss-4.0.1": {"1.3.1", "1.3.2", "A1.1.1", "A1.1.3"},
		"soc2": {"CC6.1"}, "iso-27001-2022": {"A.8.22"}, "cisa-ztmm-2": {"NW: Network Segmentation"},
		"nist-800-204b": {"SAUZ-SR-1", "APE-SR-3"},
	}
}

// ingress is what guards the way in.
func ingress() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"SC-7", "SC-7(3)", "SC-7(11)"}, "pci-dss-4.0.1": {"1.4.1", "1.4.2", "1.2.5"}, "soc2": {"CC6.6"},
		"iso-27001-2022": {"A.8.20", "A.8.21"}, "cisa-ztmm-2": {"NW: Network Traffic Management", "AW: Accessible Applications"},
	}
}

// egress is what guards the way out.
func egress() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"SC-7", "SC-7(5)", "SC-7(10)", "AC-4"}, "pci-dss-4.0.1": {"1.3.2", "1.2.5"}, "soc2": {"CC6.6", "CC6.7"},
		"iso-27001-2022": {"A.8.20", "A.8.22", "A.8.23"}, "cisa-ztmm-2": {"NW: Network Traffic Management"},
	}
}

// userIdentity is that the people behind calls are who their tokens say.
func userIdentity() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"IA-2", "IA-8", "SC-23"}, "pci-dss-4.0.1": {"8.3.1"}, "soc2": {"CC6.1", "CC6.6"},
		"iso-27001-2022": {"A.8.5"}, "hipaa": {"164.312(d)"}, "cisa-ztmm-2": {"ID: Authentication"},
		"nist-800-204b": {"EAUN-SR-1", "EUAZ-SR-3"}, "nist-800-207a": {"ID-SEG-REC-4"},
	}
}

// userAuthorization is that people can do what they were granted.
func userAuthorization() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"AC-3", "AC-3(13)"}, "pci-dss-4.0.1": {"7.3.1", "7.3.2"}, "soc2": {"CC6.1", "CC6.3"},
		"iso-27001-2022": {"A.8.3"}, "hipaa": {"164.312(a)(1)"}, "cisa-ztmm-2": {"AW: Application Access"},
		"nist-800-204b": {"EUAZ-SR-3", "APE-SR-1"}, "nist-800-207a": {"ID-SEG-REC-5"},
	}
}

// logging is that what happened can be told afterwards.
func logging() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"AU-2", "AU-3", "AU-12", "SI-4"}, "pci-dss-4.0.1": {"10.2.1", "10.2.1.4", "10.2.2"}, "soc2": {"CC7.2"},
		"iso-27001-2022": {"A.8.15", "A.8.16"}, "hipaa": {"164.312(b)"},
		"cisa-ztmm-2":   {"NW: Visibility and Analytics", "AW: Visibility and Analytics"},
		"nist-800-204b": {"EUAZ-SR-2"}, "nist-800-207a": {"MON-CNA-REQ-2", "MON-CNA-REQ-3"},
	}
}

// changeControl is who may change what guards the mesh.
func changeControl() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"CM-5", "CM-5(1)", "AC-5", "AC-6(1)"}, "pci-dss-4.0.1": {"1.2.2", "1.2.8", "6.5.1", "7.2.2"},
		"soc2": {"CC8.1", "CC6.3"}, "iso-27001-2022": {"A.8.32", "A.5.3", "A.8.2"}, "cisa-ztmm-2": {"NW: Governance"},
		"nist-800-204b": {"ISMC-SR-2"},
	}
}

// configuration is that what is configured is what is meant.
func configuration() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"CM-6", "CM-2", "CM-7"}, "pci-dss-4.0.1": {"1.2.1", "2.2.1", "2.2.4", "2.2.6"}, "soc2": {"CC7.1"},
		"iso-27001-2022": {"A.8.9"}, "hipaa": {"164.312(c)(1)"}, "cisa-ztmm-2": {"NW: Automation and Orchestration"},
	}
}

// resilience is that calls get through, and that what fails, fails secure.
func resilience() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"SC-5", "SC-24", "SC-7(18)", "SI-17"}, "pci-dss-4.0.1": {"10.7.2"}, "soc2": {"A1.1", "A1.2"},
		"iso-27001-2022": {"A.8.14", "A.8.6"}, "cisa-ztmm-2": {"NW: Network Resilience"},
	}
}

// evidenceFor is all that any of the sets names.
func evidenceFor(sets ...policies.Controls) policies.Controls {
	out := policies.Controls{}
	for _, set := range sets {
		for framework, ids := range set {
			for _, id := range ids {
				if !slices.Contains(out[framework], id) {
					out[framework] = append(out[framework], id)
				}
			}
		}
	}
	for _, ids := range out {
		slices.Sort(ids)
	}
	return out
}
