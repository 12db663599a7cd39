# METADATA
# title: Somebody else can take the identity of a workload
# description: |
#   What a caller is let do follows from its service account. Whoever can make a token for any service account, or
#   impersonate one, has what istiod asks of a workload before it signs a certificate for it. In one namespace
#   whoever can make pods can do as much; so what holds in the whole cluster is found, and what holds in the root
#   namespace, where istiod's own identity is.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/}]
# custom:
#   severity: critical
#   match: {kinds: [ClusterRoleBinding.rbac.authorization.k8s.io, RoleBinding.rbac.authorization.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [ServiceAccount waywarden-system/waywarden], description: "who may, as in Group platform or ServiceAccount argocd/*"}
#       grants:
#         type: object
#         additionalProperties: {type: array, items: {type: string}}
#         default: {create: [serviceaccounts/token], impersonate: [users, groups, serviceaccounts]}
#         description: "what is guarded, by verb"
#   controls:
#     nist-800-53-r5: [AC-3, AC-6, IA-3, IA-3(1), IA-9, SC-23]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.5.16, A.8.2, A.8.3, A.8.5]
#     hipaa: [164.312(a)(1), 164.312(d)]
#     cisa-ztmm-2: ["ID: Access Management", "ID: Authentication"]
#     nist-800-204b: [APE-SR-2, SAUN-SR-1, SAUN-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#     cis-kubernetes-2.0.1: [5.1.8, 5.1.13]
#   remediation: >-
#     Take the verb out of the role, bind it in the namespace that needs it, or list who may in the parameter
#     allowed.
package zerotrust.rbac.no_identity_minting

import data.zerotrust.lib.rbac

deny contains v if {
	rbac.in_root(input.object)
	powers := {power |
		some verb, resources in input.params.grants
		some one in rbac.given(input.object, [verb], resources)
		power := sprintf("%s %s", [verb, one.resource])
	}
	count(powers) > 0
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can be whom they like %s: %s lets them %s.", [rbac.names(who), rbac.where(input.object), rbac.role(input.object), rbac.names(powers)]),
		"path": "subjects",
	}
}

skip contains reason if {
	rbac.in_root(input.object)
	reason := rbac.unknown(input.object)
}
