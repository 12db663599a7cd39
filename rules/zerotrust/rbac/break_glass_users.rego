# METADATA
# title: Somebody else can break the glass
# description: |
#   Whoever has the verb break-glass on Guardrails can store what a Guardrail denies, by an annotation. Each time
#   is recorded, and none is refused. It is for those who are on duty, and few.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/}]
# custom:
#   severity: high
#   match: {kinds: [ClusterRoleBinding.rbac.authorization.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [ServiceAccount waywarden-system/waywarden], description: "who may, as in Group platform or ServiceAccount argocd/*"}
#       resources:
#         type: array
#         items: {type: string}
#         default: [guardrails.waywarden.dev]
#         description: "what is guarded, as `kubectl auth can-i` names it"
#   controls:
#     nist-800-53-r5: [AC-3, AC-5, AC-6, AC-6(1), CM-5, CM-5(1)]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2, 7.2.5]
#     soc2: [CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.5.15, A.8.2, A.8.3, A.8.32]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management", "NW: Governance"]
#     nist-800-204b: [APE-SR-2, ISMC-SR-2, SAUZ-SR-1]
#   remediation: Bind the verb to those who are on duty alone, or list them in the parameter allowed.
package zerotrust.rbac.break_glass_users

import data.zerotrust.lib.rbac

deny contains v if {
	given := rbac.given(input.object, ["break-glass"], input.params.resources)
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can store what Guardrails deny, %s: %s lets them break the glass on %s.", [rbac.names(who), rbac.where(input.object), rbac.role(input.object), rbac.resources(given)]),
		"path": "subjects",
	}
}

skip contains reason if reason := rbac.unknown(input.object)
