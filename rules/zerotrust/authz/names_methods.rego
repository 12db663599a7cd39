# METADATA
# title: An ALLOW of a path by every method
# description: |
#   A rule on paths without methods admits DELETE as well as GET. Who may read is seldom who may write.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/authorization-policy/}]
# custom:
#   severity: low
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management"]
#     nist-800-204b: [APE-SR-2, SAUZ-SR-1]
#   remediation: >-
#     Name the methods, as in methods: [GET, HEAD].
package zerotrust.authz.names_methods

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	some i, rule in input.object.spec.rules
	some j, to in rule.to
	to.operation.paths != []
	object.get(to.operation, "methods", []) == []
	v := {
		"msg": sprintf("every method is admitted at %s: the operation names none.", [concat(", ", to.operation.paths)]),
		"path": sprintf("spec.rules[%d].to[%d].operation.paths", [i, j]),
	}
}
