# METADATA
# title: A role that gives all of the mesh
# description: |
#   A role with all verbs, or with all resources and a verb that writes, gives more than somebody has thought of:
#   kinds that a later Istio brings are in it too. What is meant can be written out.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/rbac/}]
# custom:
#   severity: high
#   match: {kinds: [ClusterRole.rbac.authorization.k8s.io, Role.rbac.authorization.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       groups:
#         type: array
#         items: {type: string}
#         default: [security.istio.io, networking.istio.io, telemetry.istio.io, extensions.istio.io, gateway.networking.k8s.io, waywarden.dev, "*"]
#         description: "API groups of the mesh"
#       allowed: {type: array, items: {type: string}, default: [cluster-admin, "system:*"], description: "names of roles that may"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management"]
#     nist-800-204b: [APE-SR-2, SAUZ-SR-1]
#     cis-kubernetes-2.0.1: [5.1.3]
#   remediation: Write out the verbs and the resources.
package zerotrust.rbac.no_wildcards

import data.zerotrust.lib.rbac

deny contains v if {
	not exempt
	some i, rule in input.object.rules
	some group in rule.apiGroups
	group in input.params.groups
	v := {
		"msg": sprintf("the role gives more than it says, and what comes later too: rule %d has %s for API group %q.", [i, how(rule), group]),
		"path": sprintf("rules[%d]", [i]),
	}
}

how(rule) := "all verbs" if "*" in rule.verbs

how(rule) := "all resources" if {
	"*" in rule.resources
	not "*" in rule.verbs
	some verb in rule.verbs
	not verb in rbac.reads
}

exempt if {
	some pattern in input.params.allowed
	glob.match(pattern, [], input.object.metadata.name)
}
