# METADATA
# title: Somebody else can switch off admission
# description: |
#   Whoever can write a webhook configuration can take admission out of the way of a policy, and put something in
#   its place that changes policies on their way. Who may is listed by a parameter. A role that is limited by name
#   to configurations of others is let pass.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/}]
# custom:
#   severity: critical
#   match: {kinds: [ClusterRoleBinding.rbac.authorization.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [ServiceAccount waywarden-system/waywarden], description: "who may, as in Group platform or ServiceAccount argocd/*"}
#       resources:
#         type: array
#         items: {type: string}
#         default: [validatingwebhookconfigurations.admissionregistration.k8s.io, mutatingwebhookconfigurations.admissionregistration.k8s.io]
#         description: "what is guarded, as `kubectl auth can-i` names it"
#       configurations: {type: array, items: {type: string}, default: [istio*, waywarden*], description: "names of configurations that keep the mesh"}
#   controls:
#     nist-800-53-r5: [AC-5, AC-6(1), CM-5, CM-5(1)]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2]
#     soc2: [CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.8.2, A.8.32]
#     cisa-ztmm-2: ["NW: Governance"]
#     nist-800-204b: [ISMC-SR-2]
#     cis-kubernetes-2.0.1: [5.1.12]
#   remediation: >-
#     Limit the role to configurations of its own by resourceNames, or list who may in the parameter allowed.
package zerotrust.rbac.webhook_writers

import data.zerotrust.lib.rbac

deny contains v if {
	given := [g |
		some g in rbac.given(input.object, rbac.writes, input.params.resources)
		concerns(g.names)
	]
	count(given) > 0
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can switch off admission: %s lets them write %s.", [rbac.names(who), rbac.role(input.object), rbac.resources(given)]),
		"path": "subjects",
	}
}

skip contains reason if reason := rbac.unknown(input.object)

concerns(names) if count(names) == 0

concerns(names) if {
	some name in names
	some pattern in input.params.configurations
	glob.match(pattern, [], name)
}
