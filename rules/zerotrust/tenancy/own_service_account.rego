# METADATA
# title: A workload without an identity of its own
# description: |
#   Policies tell callers apart by their service account. Pods that run as "default" share one identity with everything
#   else in the namespace that was given none, and a policy that lets one of them in lets in all of them.
# related_resources: [{ref: https://istio.io/latest/docs/concepts/security/#istio-identity}]
# custom:
#   severity: high
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps]}
#   controls:
#     nist-800-53-r5: [AC-6, IA-3, IA-9]
#     pci-dss-4.0.1: [7.2.5]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.16, A.8.2]
#     cisa-ztmm-2: ["ID: Authentication"]
#     nist-800-204b: [SAUN-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#     cis-kubernetes-2.0.1: [5.1.5]
#   remediation: Give the workload a ServiceAccount of its own, and name it in spec.template.spec.serviceAccountName.
package zerotrust.tenancy.own_service_account

deny contains v if {
	mesh.enrolled(input.object.kind, input.object.metadata.namespace, input.object.metadata.name)
	object.get(input.object, ["spec", "template", "spec", "serviceAccountName"], "default") in {"", "default"}
	v := {
		"msg": "policies cannot tell this workload from others of its namespace: it runs as the service account that all have in common.",
		"path": "spec.template.spec.serviceAccountName",
	}
}
