# METADATA
# title: Somebody else can change what the mesh enforces
# description: |
#   Whoever can write an AuthorizationPolicy can let in whom they like, and whoever can write a PeerAuthentication
#   can let plaintext in. An EnvoyFilter or a WasmPlugin can take any of it out of a proxy, and whoever can write
#   Gateways can put another waypoint in the place of one. Who may is listed by a parameter; whoever else is bound
#   to such a role is found, for the whole cluster or for a namespace.
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
#         default: [authorizationpolicies.security.istio.io, peerauthentications.security.istio.io, requestauthentications.security.istio.io, envoyfilters.networking.istio.io, wasmplugins.extensions.istio.io, trafficextensions.extensions.istio.io, gateways.gateway.networking.k8s.io]
#         description: "what is guarded, as `kubectl auth can-i` names it"
#   controls:
#     nist-800-53-r5: [AC-5, AC-6(1), CM-5, CM-5(1)]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2]
#     soc2: [CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.8.2, A.8.32]
#     cisa-ztmm-2: ["NW: Governance"]
#     nist-800-204b: [ISMC-SR-2]
#   remediation: Bind the role to those who keep the mesh alone, or list them in the parameter allowed.
package zerotrust.rbac.mesh_policy_writers

import data.zerotrust.lib.rbac

deny contains v if {
	given := rbac.given(input.object, rbac.writes, input.params.resources)
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can switch off what policies enforce, %s: %s lets them write %s.", [rbac.names(who), rbac.where(input.object), rbac.role(input.object), rbac.resources(given)]),
		"path": "subjects",
	}
}

skip contains reason if reason := rbac.unknown(input.object)
