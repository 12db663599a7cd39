# METADATA
# title: A PeerAuthentication that lets plaintext in
# description: |
#   A mode of PERMISSIVE, and DISABLE, which ambient mode takes for the same, lets in callers without a certificate:
#   nobody knows who they are, and what they send can be read on the way. Only a PeerAuthentication that is in force
#   is told; the one for the whole mesh is a matter of its own.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/peer_authentication/}]
# custom:
#   severity: critical
#   match: {kinds: [PeerAuthentication.security.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       namespaces: {type: array, items: {type: string}, default: [], description: "namespaces in which plaintext is accepted"}
#   controls:
#     nist-800-53-r5: [IA-3, IA-3(1), IA-9, SC-8, SC-8(1), SC-13, SC-23]
#     pci-dss-4.0.1: [2.2.7, 4.2.1, 7.2.5]
#     soc2: [CC6.1, CC6.7]
#     iso-27001-2022: [A.5.14, A.5.16, A.8.5, A.8.20, A.8.24]
#     hipaa: [164.312(d), 164.312(e)(1)]
#     cisa-ztmm-2: ["ID: Authentication", "NW: Traffic Encryption"]
#     nist-800-204b: [SAUN-SR-1, SAUN-SR-2]
#     nist-800-207a: [ID-SEG-REC-1, ID-SEG-REC-2]
#   remediation: Say STRICT, or have the exception recorded as an Exemption that ends.
package zerotrust.mtls.no_plaintext_mode

deny contains v if {
	mode := input.object.spec.mtls.mode
	mode in {"PERMISSIVE", "DISABLE"}
	not input.object.metadata.namespace in input.params.namespaces
	input.object.metadata.namespace != mesh.root_namespace()
	in_force
	v := {
		"msg": sprintf("whoever has no certificate gets in: the mode is %s, which takes plaintext.", [mode]),
		"path": "spec.mtls.mode",
	}
}

in_force if {
	some e in input.effects
	e.enforcedBy in {"ztunnel", "sidecar"}
}
