# METADATA
# title: A mesh that takes plaintext unless told otherwise
# description: |
#   Without a PeerAuthentication for the whole mesh, every workload takes plaintext from whoever reaches its address, and
#   nobody's identity is known. A mesh-wide STRICT makes plaintext the exception that somebody has to write down.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/peer_authentication/}]
# custom:
#   severity: critical
#   match: {kinds: [Namespace, PeerAuthentication.security.istio.io]}
#   controls:
#     nist-800-53-r5: [SC-8, SC-8(1), SC-13]
#     pci-dss-4.0.1: [2.2.7, 4.2.1]
#     soc2: [CC6.1, CC6.7]
#     iso-27001-2022: [A.5.14, A.8.20, A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#     nist-800-204b: [SAUN-SR-1]
#     nist-800-207a: [ID-SEG-REC-1]
#   remediation: Keep one PeerAuthentication without a selector in Istio's root namespace, with mtls.mode STRICT.
package zerotrust.mtls.mesh_default_strict

deny contains {"msg": msg} if {
	input.object.kind == "Namespace"
	input.object.metadata.name == mesh.root_namespace()
	count(defaults) == 0
	msg := sprintf("workloads of the whole mesh take plaintext: no PeerAuthentication in %s says STRICT for all of them.", [mesh.root_namespace()])
}

deny contains {"msg": msg, "path": "spec.mtls.mode"} if {
	input.object.metadata.namespace == mesh.root_namespace()
	not input.object.spec.selector
	mode := object.get(input.object, ["spec", "mtls", "mode"], "UNSET")
	mode != "STRICT"
	msg := sprintf("workloads of the whole mesh take plaintext: the mode for all of them is %s.", [mode])
}

defaults contains policy.metadata.name if {
	some policy in mesh.policies("PeerAuthentication", mesh.root_namespace())
	not policy.spec.selector
}
