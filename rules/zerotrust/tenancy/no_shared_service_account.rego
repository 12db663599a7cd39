# METADATA
# title: Two applications with one identity
# description: |
#   Policies tell callers apart by their service account. Where two applications run as the same one, each may do what
#   the other is let do, and a log cannot say which of them it was. Applications are told apart by their labels.
# related_resources: [{ref: https://istio.io/latest/docs/concepts/security/#istio-identity}]
# custom:
#   severity: medium
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps, ReplicaSet.apps, Pod, Job.batch, CronJob.batch]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       labels:
#         type: array
#         items: {type: string}
#         default: [app.kubernetes.io/name, app]
#         description: "labels that name the application, the first that is there counts"
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, IA-3, IA-3(1), IA-9, SC-23]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.5.16, A.8.2, A.8.3, A.8.5]
#     hipaa: [164.312(a)(1), 164.312(d)]
#     cisa-ztmm-2: ["ID: Access Management", "ID: Authentication"]
#     nist-800-204b: [APE-SR-2, SAUN-SR-1, SAUN-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#   remediation: Give each application a ServiceAccount of its own.
package zerotrust.tenancy.no_shared_service_account

import data.zerotrust.lib.pods

deny contains v if {
	some w in pods.of(input.object)
	pods.captured(w)
	w.serviceAccount != "default"
	own := application(w)
	other := another(w.namespace, w.serviceAccount, own)
	v := {
		"msg": sprintf("policies cannot tell %s from %s: both run as service account %s.", [own, other, w.serviceAccount]),
		"path": pods.field(input.object.kind, "spec.serviceAccountName"),
	}
}

# another is the first application, in the order of names, that runs as a service account beside one that does. It is asked of texts, so that
# it is found out once for all pods of an application.
another(namespace, account, own) := min({other |
	some one in mesh.workloads_as(namespace, account)
	other := application(one)
	other != own
})

# application is what the first of the labels says that a workload has.
application(w) := [w.labels[key] | some key in input.params.labels; w.labels[key]][0]
