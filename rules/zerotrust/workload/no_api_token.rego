# METADATA
# title: A token for the API server that nobody needs
# description: |
#   Unless somebody says no, every container has a token by which it may do at the API server what its service
#   account may. Few programs call the API server. Whoever breaks into one that does not still has the token: and
#   with it, the workload's identity.
# related_resources: [{ref: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/}]
# custom:
#   severity: medium
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps, ReplicaSet.apps, Pod, Job.batch, CronJob.batch]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [], description: "workloads that may, as in shop/probe"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management"]
#     nist-800-204b: [APE-SR-2, SAUZ-SR-1]
#     cis-kubernetes-2.0.1: [5.1.6]
#   remediation: >-
#     Set automountServiceAccountToken to false in the pod or in its ServiceAccount, or list the workload in the
#     parameter allowed.
package zerotrust.workload.no_api_token

import data.zerotrust.lib.pods

deny contains v if {
	not pods.key(input.object) in input.params.allowed
	some w in pods.of(input.object)
	pods.captured(w)
	mounts(w)
	v := {
		"msg": sprintf("whoever breaks into it may do at the API server what service account %s may: its token is in every container.", [w.serviceAccount]),
		"path": pods.field(input.object.kind, "spec.automountServiceAccountToken"),
	}
}

# mounts is whether a token is mounted: the pod says so, else its service account, else it is.
mounts(_) if pods.spec(input.object).automountServiceAccountToken == true

mounts(w) if {
	not pods.spec(input.object).automountServiceAccountToken == false
	not declined(w)
}

declined(w) if {
	some account in mesh.policies("ServiceAccount", w.namespace)
	account.metadata.name == w.serviceAccount
	account.automountServiceAccountToken == false
}
