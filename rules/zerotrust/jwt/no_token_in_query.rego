# METADATA
# title: Tokens in addresses
# description: |
#   A token in a query parameter is written into every log on the way, into the browser's history and into the Referer
#   of the next page. Whoever reads one of these is the user until the token ends.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/request_authentication/}]
# custom:
#   severity: medium
#   match: {kinds: [RequestAuthentication.security.istio.io]}
#   controls:
#     nist-800-53-r5: [IA-2, IA-8, SC-8, SC-23]
#     pci-dss-4.0.1: [8.3.1]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.8.5]
#     hipaa: [164.312(d)]
#     cisa-ztmm-2: ["ID: Authentication"]
#     nist-800-204b: [EAUN-SR-1, EUAZ-SR-3]
#     nist-800-207a: [ID-SEG-REC-4]
#   remediation: Take tokens from a header, with fromHeaders, or leave both out for Authorization.
package zerotrust.jwt.no_token_in_query

deny contains v if {
	some i, rule in input.object.spec.jwtRules
	rule.fromParams != []
	v := {
		"msg": sprintf("whoever reads a log can be the user: tokens are taken from query parameter %s.", [concat(", ", rule.fromParams)]),
		"path": sprintf("spec.jwtRules[%d].fromParams", [i]),
	}
}
