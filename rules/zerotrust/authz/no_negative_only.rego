# METADATA
# title: An ALLOW for everything but what is listed
# description: |
#   An operation that only says which paths, methods or hosts are not meant admits all others, and every way to write
#   a listed one that the policy does not recognise and the server does: another case, an escaped slash, a new API.
#   What is allowed can be listed.
# related_resources: [{ref: https://istio.io/latest/docs/ops/best-practices/security/#use-default-deny-patterns}]
# custom:
#   severity: high
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-24, SI-10]
#     pci-dss-4.0.1: [7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access"]
#     nist-800-204b: [APE-SR-1, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: List what may be called, in paths, methods or hosts; say what may not in a DENY.
package zerotrust.authz.no_negative_only

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	some i, rule in input.object.spec.rules
	some j, to in rule.to
	some field in ["notPaths", "notMethods", "notHosts"]
	to.operation[field] != []
	not lists(to.operation)
	v := {
		"msg": sprintf("all calls get in but those that %s recognises: the operation of this ALLOW lists nothing that is allowed.", [field]),
		"path": sprintf("spec.rules[%d].to[%d].operation.%s", [i, j, field]),
	}
}

lists(operation) if {
	some field in ["paths", "methods", "hosts"]
	operation[field] != []
}
