# METADATA
# title: Keys that are fetched in plaintext
# description: |
#   The keys of an issuer decide which tokens are valid. istiod fetches them from jwksUri, or where that and jwks are
#   missing finds their address below the issuer's. Whoever can answer in its place on the way makes tokens for
#   anybody.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/request_authentication/}]
# custom:
#   severity: high
#   match: {kinds: [RequestAuthentication.security.istio.io]}
#   controls:
#     nist-800-53-r5: [IA-2, IA-5(2), IA-8, SC-12, SC-17, SC-23, SC-23(5)]
#     pci-dss-4.0.1: [4.2.1, 4.2.1.1, 8.3.1, 12.3.3]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.8.5, A.8.24]
#     hipaa: [164.312(d), 164.312(e)(1)]
#     cisa-ztmm-2: ["ID: Authentication", "NW: Traffic Encryption"]
#     nist-800-204b: [EAUN-SR-1, EUAZ-SR-3, ISMC-SR-1]
#     nist-800-207a: [ID-SEG-REC-2, ID-SEG-REC-4]
#   remediation: Name an address that begins with https.
package zerotrust.jwt.keys_over_https

deny contains v if {
	some i, rule in input.object.spec.jwtRules
	startswith(lower(rule.jwksUri), "http://")
	v := {
		"msg": sprintf("whoever is on the way can make tokens that are let in: the keys come from %s, in plaintext.", [rule.jwksUri]),
		"path": sprintf("spec.jwtRules[%d].jwksUri", [i]),
	}
}

deny contains v if {
	some i, rule in input.object.spec.jwtRules
	not rule.jwksUri
	not rule.jwks
	startswith(lower(rule.issuer), "http://")
	v := {
		"msg": sprintf("whoever is on the way can make tokens that are let in: where the keys are is asked at issuer %s, in plaintext.", [rule.issuer]),
		"path": sprintf("spec.jwtRules[%d].issuer", [i]),
	}
}
