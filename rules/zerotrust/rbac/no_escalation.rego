# METADATA
# title: Somebody else can give themselves more rights
# description: |
#   The API server lets nobody give more than they have, but for those with the verbs escalate and bind on roles.
#   Whoever has one of them has every right of the cluster, or of the namespace, whenever they like.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/}]
# custom:
#   severity: high
#   match: {kinds: [ClusterRoleBinding.rbac.authorization.k8s.io, RoleBinding.rbac.authorization.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [ServiceAccount waywarden-system/waywarden], description: "who may, as in Group platform or ServiceAccount argocd/*"}
#       resources:
#         type: array
#         items: {type: string}
#         default: [clusterroles.rbac.authorization.k8s.io, roles.rbac.authorization.k8s.io]
#         description: "what is guarded, as `kubectl auth can-i` names it"
#   controls:
#     nist-800-53-r5: [AC-3, AC-5, AC-6, AC-6(1), CM-5, CM-5(1)]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2, 7.2.5]
#     soc2: [CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.5.15, A.8.2, A.8.3, A.8.32]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management", "NW: Governance"]
#     nist-800-204b: [APE-SR-2, ISMC-SR-2, SAUZ-SR-1]
#     cis-kubernetes-2.0.1: [5.1.8]
#   remediation: >-
#     Take the verbs escalate and bind out of the role, or limit them to roles by resourceNames, or list who may
#     in the parameter allowed.
package zerotrust.rbac.no_escalation

import data.zerotrust.lib.rbac

deny contains v if {
	given := rbac.unlimited(rbac.given(input.object, ["escalate", "bind"], input.params.resources))
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can have every right there is %s: %s lets them escalate or bind %s.", [rbac.names(who), rbac.where(input.object), rbac.role(input.object), rbac.resources(given)]),
		"path": "subjects",
	}
}

skip contains reason if reason := rbac.unknown(input.object)
