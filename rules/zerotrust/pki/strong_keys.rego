# METADATA
# title: A certificate with a weak key
# description: |
#   A key that is too short can be found out, and a certificate that is signed by SHA-1 or MD5 can be forged. What
#   rests on it is then whatever an attacker wants. Root certificates are looked at in the ConfigMap by which
#   istiod hands them out, others in the Secrets that may be read.
# related_resources: [{ref: https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/}]
# custom:
#   severity: high
#   match: {kinds: [ConfigMap, Secret], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       bits:
#         type: object
#         additionalProperties: {type: integer}
#         default: {RSA: 2048, ECDSA: 256}
#         description: "how long keys are at least"
#       hashes: {type: array, items: {type: string}, default: [SHA1, MD5, MD2], description: "digests that can be forged"}
#   controls:
#     nist-800-53-r5: [IA-5(2), SC-12, SC-13, SC-17, SC-23(5)]
#     pci-dss-4.0.1: [4.2.1, 4.2.1.1, 12.3.3]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#     nist-800-204b: [ISMC-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#   remediation: Issue it anew, with RSA of 2048 bits or more, or ECDSA of P-256 or more, and SHA-256.
package zerotrust.pki.strong_keys

import data.zerotrust.lib.certificates

deny contains v if {
	some path, all in found
	some c in all
	why := weakness(c)
	v := {
		"msg": sprintf("whoever breaks it can be whom they like: certificate %q %s.", [c.subject, why]),
		"path": path,
	}
}

found["data"] := certificates.roots(input.object)

found[sprintf("data[%s]", [key])] := all if some key, all in input.object.certificates

weakness(c) := sprintf("has an %s key of %d bits", [c.keyAlgorithm, c.keyBits]) if c.keyBits < input.params.bits[c.keyAlgorithm]

weakness(c) := sprintf("is signed with %s", [c.signatureAlgorithm]) if {
	not c.keyBits < input.params.bits[c.keyAlgorithm]
	some hash in input.params.hashes
	contains(c.signatureAlgorithm, hash)
}
