# METADATA
# title: Somebody else can change what is demanded of the mesh
# description: |
#   A Guardrail says what may be stored and what is only told; an Exemption takes something out of it. Whoever can
#   write one can let pass what they like, and what is let pass no longer counts as a finding.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/}]
# custom:
#   severity: critical
#   match: {kinds: [ClusterRoleBinding.rbac.authorization.k8s.io, RoleBinding.rbac.authorization.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [ServiceAccount waywarden-system/waywarden], description: "who may, as in Group platform or ServiceAccount argocd/*"}
#       resources:
#         type: array
#         items: {type: string}
#         default: [guardrails.waywarden.dev, exemptions.waywarden.dev, waypointprofiles.waywarden.dev, rulepacks.waywarden.dev]
#         description: "what is guarded, as `kubectl auth can-i` names it"
#   controls:
#     nist-800-53-r5: [AC-5, AC-6(1), CM-2, CM-5, CM-5(1), CM-6, CM-7]
#     pci-dss-4.0.1: [1.2.1, 1.2.2, 1.2.8, 2.2.1, 2.2.4, 2.2.6, 6.5.1, 7.2.2]
#     soc2: [CC6.3, CC7.1, CC8.1]
#     iso-27001-2022: [A.5.3, A.8.2, A.8.9, A.8.32]
#     hipaa: [164.312(c)(1)]
#     cisa-ztmm-2: ["NW: Automation and Orchestration", "NW: Governance"]
#     nist-800-204b: [ISMC-SR-2]
#   remediation: Bind the role to those who sign exceptions off alone, or list them in the parameter allowed.
package zerotrust.rbac.guardrail_writers

import data.zerotrust.lib.rbac

deny contains v if {
	given := rbac.given(input.object, rbac.writes, input.params.resources)
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can take away what is demanded of the mesh, %s: %s lets them write %s.", [rbac.names(who), rbac.where(input.object), rbac.role(input.object), rbac.resources(given)]),
		"path": "subjects",
	}
}

skip contains reason if reason := rbac.unknown(input.object)
