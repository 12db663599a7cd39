# METADATA
# title: A workload without an identity of its own
# description: |
#   Policies tell callers apart by their service account. Pods that run as "default" share one identity with
#   everything else in the namespace that was given none, and a policy that lets one of them in lets in all of them.
# related_resources: [{ref: https://istio.io/latest/docs/concepts/security/#istio-identity}]
# custom:
#   severity: high
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps, ReplicaSet.apps, Pod, Job.batch, CronJob.batch]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, IA-3, IA-3(1), IA-9, SC-23]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.5.16, A.8.2, A.8.3, A.8.5]
#     hipaa: [164.312(a)(1), 164.312(d)]
#     cisa-ztmm-2: ["ID: Access Management", "ID: Authentication"]
#     nist-800-204b: [APE-SR-2, SAUN-SR-1, SAUN-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#     cis-kubernetes-2.0.1: [5.1.5]
#   remediation: Give the workload a ServiceAccount of its own, and name it in serviceAccountName of the pod.
package zerotrust.tenancy.own_service_account

import data.zerotrust.lib.pods

deny contains v if {
	some w in pods.of(input.object)
	pods.captured(w)
	w.serviceAccount == "default"
	v := {
		"msg": "policies cannot tell this workload from others of its namespace: it runs as the service account that all have in common.",
		"path": pods.field(input.object.kind, "spec.serviceAccountName"),
	}
}
