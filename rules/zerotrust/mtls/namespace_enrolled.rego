# METADATA
# title: A namespace that is not in the mesh
# description: |
#   Pods of a namespace that is enrolled for neither ambient mode nor sidecars call and are called in plaintext, with
#   no identity. No policy of the mesh is enforced before them. A namespace in which all pods are captured by labels
#   of their own, or that holds nothing but gateways, need not be enrolled.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/add-workloads/}]
# custom:
#   severity: high
#   match: {kinds: [Namespace]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       outside:
#         type: array
#         items: {type: string}
#         default: [kube-system, kube-public, kube-node-lease]
#         description: "namespaces that are meant to be outside the mesh"
#   controls:
#     nist-800-53-r5: [IA-3, IA-3(1), IA-9, SC-8, SC-8(1), SC-13, SC-23]
#     pci-dss-4.0.1: [2.2.7, 4.2.1, 7.2.5]
#     soc2: [CC6.1, CC6.7]
#     iso-27001-2022: [A.5.14, A.5.16, A.8.5, A.8.20, A.8.24]
#     hipaa: [164.312(d), 164.312(e)(1)]
#     cisa-ztmm-2: ["ID: Authentication", "NW: Traffic Encryption"]
#     nist-800-204b: [SAUN-SR-1, SAUN-SR-2]
#     nist-800-207a: [ID-SEG-REC-1, ID-SEG-REC-2]
#   remediation: Label the Namespace istio.io/dataplane-mode=ambient, or list it in the parameter outside.
package zerotrust.mtls.namespace_enrolled

import data.zerotrust.lib.pods

deny contains v if {
	name := input.object.metadata.name
	name != mesh.root_namespace()
	not name in input.params.outside
	pods.plain(name).mode == "none"
	not captured
	not only_gateways
	v := {
		"msg": "calls from and to pods of this Namespace are in plaintext and carry no identity: it is enrolled for neither ambient mode nor sidecars.",
		"path": "metadata.labels",
	}
}

# captured is whether something runs there and all of it is captured, or captures others.
captured if {
	count(mesh.workloads(input.object.metadata.name, {})) > 0
	every w in mesh.workloads(input.object.metadata.name, {}) {
		w.mode != "none"
	}
}

# only_gateways is whether Gateways are there, for which istiod makes pods, and no pods are shown.
only_gateways if {
	count(mesh.workloads(input.object.metadata.name, {})) == 0
	count(mesh.policies("Gateway", input.object.metadata.name)) > 0
}
