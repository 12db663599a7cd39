# METADATA
# title: Tokens that were made for somebody else
# description: |
#   Without audiences a token of the issuer is valid whoever it was made for. A service that is given a token for its
#   own use can use it here, and so can whoever stole one for the least of the issuer's applications.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/request_authentication/}]
# custom:
#   severity: high
#   match: {kinds: [RequestAuthentication.security.istio.io]}
#   controls:
#     nist-800-53-r5: [IA-2, IA-8, SC-23]
#     pci-dss-4.0.1: [8.3.1]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.8.5]
#     hipaa: [164.312(d)]
#     cisa-ztmm-2: ["ID: Authentication"]
#     nist-800-204b: [EAUN-SR-1, EUAZ-SR-3]
#     nist-800-207a: [ID-SEG-REC-4]
#   remediation: Name in audiences what the issuer puts into aud for this service.
package zerotrust.jwt.audience_pinned

deny contains v if {
	some i, rule in input.object.spec.jwtRules
	count(object.get(rule, "audiences", [])) == 0
	v := {
		"msg": sprintf("tokens that %s made for other services are valid here: the rule names no audience.", [rule.issuer]),
		"path": sprintf("spec.jwtRules[%d].audiences", [i]),
	}
}
