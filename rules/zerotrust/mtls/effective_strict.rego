# METADATA
# title: A workload that takes plaintext in the end
# description: |
#   What a workload demands of its callers comes of all PeerAuthentications together: those of the mesh, of the
#   namespace, of the pods and of their ports, and of what istiod makes of them. This rule looks at the result, as
#   ztunnel or the sidecar applies it, and demands STRICT on every port.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/peer_authentication/}]
# custom:
#   severity: critical
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps, ReplicaSet.apps, Pod]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       ports: {type: array, items: {type: integer}, default: [], description: "ports on which plaintext is accepted"}
#   controls:
#     nist-800-53-r5: [IA-3, IA-3(1), IA-9, SC-8, SC-8(1), SC-13, SC-23]
#     pci-dss-4.0.1: [2.2.7, 4.2.1, 7.2.5]
#     soc2: [CC6.1, CC6.7]
#     iso-27001-2022: [A.5.14, A.5.16, A.8.5, A.8.20, A.8.24]
#     hipaa: [164.312(d), 164.312(e)(1)]
#     cisa-ztmm-2: ["ID: Authentication", "NW: Traffic Encryption"]
#     nist-800-204b: [SAUN-SR-1, SAUN-SR-2]
#     nist-800-207a: [ID-SEG-REC-1, ID-SEG-REC-2]
#   remediation: >-
#     Keep a PeerAuthentication with mode STRICT for the mesh, and take out what is narrower and says less.
package zerotrust.mtls.effective_strict

import data.zerotrust.lib.pods
import data.zerotrust.lib.waits

deny contains v if {
	m := result[_]
	not m.strict
	v := {
		"msg": "whoever reaches it gets in without a certificate: of all PeerAuthentications together, none makes it STRICT.",
		"path": "metadata.name",
		"waitsFor": waits.another("PeerAuthentication", input.object.metadata.namespace),
	}
}

deny contains v if {
	m := result[_]
	m.strict
	some port in m.openPorts
	not port in input.params.ports
	v := {
		"msg": sprintf("whoever reaches it on port %d gets in without a certificate: all PeerAuthentications together take that port out of STRICT.", [port]),
		"path": "metadata.name",
	}
}

# result is what captures the workload demands. What an annotation lets past is told by another rule.
result contains mesh.effective_mtls(w.namespace, w.name, 0) if {
	some w in pods.of(input.object)
	pods.captured(w)
	not pods.bypassed(w)
}
