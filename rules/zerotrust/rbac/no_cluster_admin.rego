# METADATA
# title: Somebody else can do everything
# description: |
#   Whoever is bound to cluster-admin, or to a role that gives as much, can change every policy, take every
#   identity, and switch off what watches over both. Other rules about roles leave such bindings to this one, so
#   that each is told once.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/}]
# custom:
#   severity: critical
#   match: {kinds: [ClusterRoleBinding.rbac.authorization.k8s.io, RoleBinding.rbac.authorization.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [ServiceAccount waywarden-system/waywarden], description: "who may, as in Group platform or ServiceAccount argocd/*"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-5, AC-6, AC-6(1), CM-5, CM-5(1)]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2, 7.2.5]
#     soc2: [CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.5.15, A.8.2, A.8.3, A.8.32]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management", "NW: Governance"]
#     nist-800-204b: [APE-SR-2, ISMC-SR-2, SAUZ-SR-1]
#     cis-kubernetes-2.0.1: [5.1.1]
#   remediation: Bind a role that gives what is needed, or list who needs everything in the parameter allowed.
package zerotrust.rbac.no_cluster_admin

import data.zerotrust.lib.rbac

deny contains v if {
	rbac.everything(input.object)
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can do everything %s, to the mesh and to what guards it: %s leaves nothing out.", [rbac.names(who), rbac.where(input.object), rbac.role(input.object)]),
		"path": "subjects",
	}
}

skip contains reason if reason := rbac.unknown(input.object)
