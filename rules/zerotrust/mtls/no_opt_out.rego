# METADATA
# title: A workload that opts out of the mesh
# description: |
#   A pod with label istio.io/dataplane-mode=none stays outside while its namespace is enrolled: its calls carry no
#   identity, calls to it are in plaintext, and no policy is enforced before it. Who can write the label can take a
#   workload out of every policy, whether there is one for it today or not.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/add-workloads/}]
# custom:
#   severity: high
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps, ReplicaSet.apps, Pod, Job.batch, CronJob.batch]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [], description: "workloads that may stay outside, as in shop/cart"}
#   controls:
#     nist-800-53-r5: [CM-2, CM-6, CM-7, SC-8, SC-8(1), SC-13]
#     pci-dss-4.0.1: [1.2.1, 2.2.1, 2.2.4, 2.2.6, 2.2.7, 4.2.1]
#     soc2: [CC6.1, CC6.7, CC7.1]
#     iso-27001-2022: [A.5.14, A.8.9, A.8.20, A.8.24]
#     hipaa: [164.312(c)(1), 164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Automation and Orchestration", "NW: Traffic Encryption"]
#     nist-800-204b: [SAUN-SR-1]
#     nist-800-207a: [ID-SEG-REC-1]
#   remediation: Remove the label, or list the workload in the parameter allowed.
package zerotrust.mtls.no_opt_out

import data.zerotrust.lib.pods

deny contains v if {
	some w in pods.of(input.object)
	w.mode == "none"
	w.labels["istio.io/dataplane-mode"] == "none"
	pods.plain(w.namespace).mode == "ambient"
	not pods.key(input.object) in input.params.allowed
	v := {
		"msg": "its calls carry no identity, and no policy guards it: label istio.io/dataplane-mode=none keeps it out of the mesh that its Namespace is in.",
		"path": pods.field(input.object.kind, "metadata.labels[istio.io/dataplane-mode]"),
	}
}
