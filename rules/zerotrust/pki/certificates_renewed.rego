# METADATA
# title: A certificate that nobody renews
# description: |
#   A gateway whose certificate has ended is refused by every caller that looks, and a CA whose certificate has
#   ended signs nothing that anybody takes. What renews certificates does so long before; one that is about to end
#   is one that it has missed.
# related_resources: [{ref: https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/}]
# custom:
#   severity: high
#   match: {kinds: [Secret], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       days: {type: integer, default: 14, description: "how many days before the end it is told"}
#       caDays: {type: integer, default: 60, description: "the same of the certificate of a CA"}
#   controls:
#     nist-800-53-r5: [IA-5(2), SC-12, SC-17, SC-23(5)]
#     pci-dss-4.0.1: [4.2.1, 4.2.1.1, 12.3.3]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#     nist-800-204b: [ISMC-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#   remediation: Renew it, and see why that was not done by itself.
package zerotrust.pki.certificates_renewed

import data.zerotrust.lib.certificates

deny contains v if {
	some key, all in input.object.certificates
	some c in all
	days := certificates.left(c, input.now)
	days < input.params[term[c.isCA]]
	v := {
		"msg": sprintf("whoever rests on it is refused: certificate %q %s.", [c.subject, certificates.ends(days)]),
		"path": sprintf("data[%s]", [key]),
	}
}

term := {true: "caDays", false: "days"}
