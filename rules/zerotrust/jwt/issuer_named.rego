# METADATA
# title: An ALLOW for any token
# description: |
#   requestPrincipals are an issuer and a subject, as in https://id.example.com/alice. A wildcard in place of the
#   issuer admits tokens of every issuer that a RequestAuthentication there trusts, the next one that is added too,
#   which may be one where anybody can register.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/request_authentication/}]
# custom:
#   severity: medium
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-3(13)]
#     pci-dss-4.0.1: [7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access"]
#     nist-800-204b: [APE-SR-1, EUAZ-SR-3]
#     nist-800-207a: [ID-SEG-REC-5]
#   remediation: Name the issuer, as in https://id.example.com/*.
package zerotrust.jwt.issuer_named

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	some place in places
	startswith(place.value, "*")
	v := {
		"msg": sprintf("tokens of any issuer are let in: %q does not say which.", [place.value]),
		"path": place.path,
	}
}

places contains {"value": value, "path": sprintf("spec.rules[%d].from[%d].source.requestPrincipals[%d]", [i, j, k])} if {
	some i, rule in input.object.spec.rules
	some j, from in rule.from
	some k, value in from.source.requestPrincipals
}

places contains {"value": value, "path": sprintf("spec.rules[%d].when[%d].values[%d]", [i, j, k])} if {
	some i, rule in input.object.spec.rules
	some j, condition in rule.when
	condition.key == "request.auth.principal"
	some k, value in condition.values
}
