# METADATA
# title: A workload in the namespace of nobody
# description: |
#   Namespace default is where things land for which nobody has said where they belong. It has no owner, it cannot be
#   deleted, and policies for it hold for whatever comes there next.
# related_resources: [{ref: https://kubernetes.io/docs/concepts/security/multi-tenancy/}]
# custom:
#   severity: medium
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps, ReplicaSet.apps, Pod]}
#   controls:
#     nist-800-53-r5: [AC-4, AC-4(21), CM-2, CM-6, CM-7, SC-7, SC-7(21)]
#     pci-dss-4.0.1: [1.2.1, 1.3.1, 1.3.2, 2.2.1, 2.2.4, 2.2.6, A1.1.1, A1.1.3]
#     soc2: [CC6.1, CC7.1]
#     iso-27001-2022: [A.8.9, A.8.22]
#     hipaa: [164.312(c)(1)]
#     cisa-ztmm-2: ["NW: Automation and Orchestration", "NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-3, SAUZ-SR-1]
#     cis-kubernetes-2.0.1: [5.6.4]
#   remediation: Move the workload to a namespace that is somebody's.
package zerotrust.tenancy.not_in_default_namespace

import data.zerotrust.lib.pods

deny contains v if {
	input.object.metadata.namespace == "default"
	pods.of(input.object)
	v := {
		"msg": "policies cannot be for this workload's owner alone: it is in Namespace default, where everything is that belongs nowhere.",
		"path": "metadata.namespace",
	}
}
