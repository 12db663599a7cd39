# METADATA
# title: An ALLOW of any operation, in other words
# description: |
#   A path, method, host or port that is only a wildcard restricts nothing. It reads as if somebody had thought about
#   it.
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
#   remediation: Name what the callers need, or take the field out.
package zerotrust.authz.no_wildcard_operation

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	some i, rule in input.object.spec.rules
	some j, to in rule.to
	some field in ["paths", "methods", "hosts"]
	some k, value in to.operation[field]
	value in everything[field]
	v := {
		"msg": sprintf("callers may do anything: %q in %s restricts nothing.", [value, field]),
		"path": sprintf("spec.rules[%d].to[%d].operation.%s[%d]", [i, j, field, k]),
	}
}

everything := {"paths": {"*", "/*"}, "methods": {"*"}, "hosts": {"*"}}
