# METADATA
# title: A root of trust that ends soon
# description: |
#   Workloads know one another by certificates that the mesh's root has signed. When the last root ends, no
#   connection of the mesh can be made. A new one has to be trusted everywhere before the old one goes, which
#   takes weeks where it is done with care.
# related_resources: [{ref: https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/}]
# custom:
#   severity: high
#   match: {kinds: [ConfigMap], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       days: {type: integer, default: 90, description: "how many days before the end it is told"}
#   controls:
#     nist-800-53-r5: [IA-5(2), SC-12, SC-17, SC-23(5)]
#     pci-dss-4.0.1: [4.2.1, 4.2.1.1, 12.3.3]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#     nist-800-204b: [ISMC-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#   remediation: >-
#     Introduce a new root beside the old one, and let go of the old one when all proxies trust both.
package zerotrust.pki.root_not_expiring

import data.zerotrust.lib.certificates

deny contains v if {
	roots := certificates.roots(input.object)
	days := max([certificates.left(c, input.now) | some c in roots])
	days < input.params.days
	v := {
		"msg": sprintf("workloads will not know one another any more: the last root certificate of the mesh %s.", [certificates.ends(days)]),
		"path": "data",
	}
}
