# METADATA
# title: Somebody else can change what Istio is run with
# description: |
#   Istio's root namespace holds istiod, the mesh configuration, and policies that hold for the whole mesh.
#   Whoever can change a workload or a ConfigMap there, or run a command in a pod of it, decides what every proxy
#   is told, and has istiod's key at hand.
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
#         default: [deployments.apps, daemonsets.apps, configmaps, pods, pods/exec, pods/ephemeralcontainers]
#         description: "what is guarded, as `kubectl auth can-i` names it"
#   controls:
#     nist-800-53-r5: [AC-5, AC-6(1), CM-5, CM-5(1)]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2]
#     soc2: [CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.8.2, A.8.32]
#     cisa-ztmm-2: ["NW: Governance"]
#     nist-800-204b: [ISMC-SR-2]
#     cis-kubernetes-2.0.1: [5.6.1]
#   remediation: >-
#     Bind the role in the namespaces that need it and not in Istio's own, or list who may in the parameter
#     allowed.
package zerotrust.rbac.root_namespace_writers

import data.zerotrust.lib.rbac

deny contains v if {
	rbac.in_root(input.object)
	given := rbac.given(input.object, rbac.writes, input.params.resources)
	who := rbac.strangers(input.object, input.params.allowed)
	v := {
		"msg": sprintf("%s can change what every proxy is told, %s: %s lets them write %s, which Istio's root namespace has too.", [rbac.names(who), rbac.where(input.object), rbac.role(input.object), rbac.resources(given)]),
		"path": "subjects",
	}
}

skip contains reason if reason := rbac.unknown(input.object)
