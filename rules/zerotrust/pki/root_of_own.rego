# METADATA
# title: A root of trust that istiod has made itself
# description: |
#   Where it is given no CA, istiod makes one: its key lies in a Secret of the cluster, nobody outside of it knows
#   the root, and whoever can read that Secret can be every workload. An enterprise signs the mesh's CA by its
#   own, and keeps the root's key elsewhere.
# related_resources: [{ref: https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/}]
# custom:
#   severity: high
#   match: {kinds: [ConfigMap], phases: [audit, scan]}
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
#     Give istiod a CA that your own has signed, in Secret cacerts or by an integration such as istio-csr.
package zerotrust.pki.root_of_own

import data.zerotrust.lib.certificates

deny contains v if {
	some root in certificates.roots(input.object)
	root.selfSigned
	root.commonName == ""
	root.organization == [mesh.trust_domain()]
	v := {
		"msg": sprintf("nobody outside of the cluster vouches for the mesh: its root certificate %q is the one that istiod makes itself.", [root.subject]),
		"path": "data",
	}
}
