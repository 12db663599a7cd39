# METADATA
# title: Somebody else can read the key of the mesh's CA
# description: |
#   The key of the CA signs the certificates by which workloads know one another. It lies in a Secret of Istio's
#   root namespace, where it is not kept outside of the cluster. Whoever can read that Secret can be every
#   workload, and nobody will see the difference.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/}]
# custom:
#   severity: critical
#   match: {kinds: [ClusterRoleBinding.rbac.authorization.k8s.io, RoleBinding.rbac.authorization.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [ServiceAccount waywarden-system/waywarden], description: "who may, as in Group platform or ServiceAccount argocd/*"}
#       secrets: {type: array, items: {type: string}, default: [cacerts, istio-ca-secret], description: "Secrets that hold a key of the CA"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, IA-5(2), SC-12, SC-17, SC-23(5)]
#     pci-dss-4.0.1: [4.2.1, 4.2.1.1, 7.2.2, 7.2.5, 12.3.3]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3, A.8.24]
#     hipaa: [164.312(a)(1), 164.312(e)(1)]
#     cisa-ztmm-2: ["ID: Access Management", "NW: Traffic Encryption"]
#     nist-800-204b: [APE-SR-2, ISMC-SR-1, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#     cis-kubernetes-2.0.1: [5.1.2]
#   remediation: >-
#     Take get, list and watch of Secrets in Istio's root namespace out of the role, keep the key outside of the
#     cluster, or list who may in the parameter allowed.
package zerotrust.rbac.ca_key_readers

import data.zerotrust.lib.rbac

deny contains v if {
	rbac.in_root(input.object)
	given := [g |
		some g in rbac.given(input.object, rbac.reads, ["secrets"])
		concerns(g.names)
	]
	count(given) > 0
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can sign certificates as the mesh does: %s shows them Secrets %s, and the key of the mesh's CA is in one.", [rbac.names(who), rbac.role(input.object), rbac.where(input.object)]),
		"path": "subjects",
	}
}

skip contains reason if {
	rbac.in_root(input.object)
	reason := rbac.unknown(input.object)
}

concerns(names) if count(names) == 0

concerns(names) if {
	some name in names
	name in input.params.secrets
}
