# METADATA
# title: A CA that outlives its root
# description: |
#   What an intermediate CA signs is taken for as long as its root is. One that is valid for longer goes on
#   signing when nobody takes what it signs, and its own end gives no warning any more.
# related_resources: [{ref: https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/}]
# custom:
#   severity: medium
#   match: {kinds: [Secret], phases: [audit, scan]}
#   controls:
#     nist-800-53-r5: [IA-5(2), SC-12, SC-17, SC-23(5)]
#     pci-dss-4.0.1: [4.2.1, 4.2.1.1, 12.3.3]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#     nist-800-204b: [ISMC-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#   remediation: Issue the intermediate anew, for no longer than its root is valid.
package zerotrust.pki.within_root

deny contains v if {
	some ca in input.object.certificates["ca-cert.pem"]
	roots := [time.parse_rfc3339_ns(root.notAfter) | some root in input.object.certificates["root-cert.pem"]]
	time.parse_rfc3339_ns(ca.notAfter) > max(roots)
	v := {
		"msg": sprintf("it goes on signing when nobody takes what it signs: certificate %q ends at %s, after the last root.", [ca.subject, ca.notAfter]),
		"path": "data[ca-cert.pem]",
	}
}
