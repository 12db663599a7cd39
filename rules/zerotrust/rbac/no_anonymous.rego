# METADATA
# title: Everybody is bound to a role about the mesh
# description: |
#   The groups system:authenticated and system:serviceaccounts are all who have any account, and system:anonymous
#   is all who reach the API server. What they are let see of policies and Secrets tells an intruder where to go
#   next, and what they may write is his.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/}]
# custom:
#   severity: critical
#   match: {kinds: [ClusterRoleBinding.rbac.authorization.k8s.io, RoleBinding.rbac.authorization.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       resources:
#         type: array
#         items: {type: string}
#         default: [authorizationpolicies.security.istio.io, peerauthentications.security.istio.io, requestauthentications.security.istio.io, guardrails.waywarden.dev, secrets]
#         description: "what is guarded, as `kubectl auth can-i` names it"
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-6, AC-24]
#     pci-dss-4.0.1: [7.2.2, 7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "ID: Access Management"]
#     nist-800-204b: [APE-SR-1, APE-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#     cis-kubernetes-2.0.1: [5.1.1]
#   remediation: Bind the role to those who need it.
package zerotrust.rbac.no_anonymous

import data.zerotrust.lib.rbac

deny contains v if {
	given := rbac.rights(input.object, array.concat(rbac.reads, rbac.writes), input.params.resources)
	count(given) > 0
	all := {who |
		some subject in input.object.subjects
		who := rbac.named(subject, input.object)
		rbac.everybody(who)
	}
	count(all) > 0
	v := {
		"msg": sprintf("everybody who reaches the API server, or nearly, knows or decides what is let in: %s %s has %s on %s.", [rbac.names(all), rbac.where(input.object), rbac.role(input.object), rbac.resources(given)]),
		"path": "subjects",
	}
}

skip contains reason if reason := rbac.unknown(input.object)
