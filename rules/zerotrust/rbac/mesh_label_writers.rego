# METADATA
# title: Somebody else can take a namespace out of the mesh
# description: |
#   Labels of a Namespace decide whether its pods are captured by ztunnel, which waypoint its Services use, and
#   which Guardrails hold for it. Whoever can change a Namespace can take all of it away with one label.
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
#         default: [namespaces]
#         description: "what is guarded, as `kubectl auth can-i` names it"
#   controls:
#     nist-800-53-r5: [AC-5, AC-6(1), CM-5, CM-5(1)]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2]
#     soc2: [CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.8.2, A.8.32]
#     cisa-ztmm-2: ["NW: Governance"]
#     nist-800-204b: [ISMC-SR-2]
#   remediation: Let those who keep the platform label Namespaces, or list who may in the parameter allowed.
package zerotrust.rbac.mesh_label_writers

import data.zerotrust.lib.rbac

deny contains v if {
	given := rbac.given(input.object, ["update", "patch"], input.params.resources)
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can take workloads out of the mesh %s: %s lets them write %s.", [rbac.names(who), rbac.where(input.object), rbac.role(input.object), rbac.resources(given)]),
		"path": "subjects",
	}
}

skip contains reason if reason := rbac.unknown(input.object)
