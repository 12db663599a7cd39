# METADATA
# title: Keys that stay until somebody edits the policy
# description: |
#   Keys in jwks are those of the day on which the policy was written. When the issuer takes one out of use, because
#   it was stolen, tokens that are made with it stay valid here; when it takes a new one into use, its tokens are
#   refused.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/request_authentication/}]
# custom:
#   severity: low
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
#   remediation: Name jwksUri in place of jwks; istiod fetches it again and again.
package zerotrust.jwt.keys_rotate

deny contains v if {
	some i, rule in input.object.spec.jwtRules
	rule.jwks != ""
	v := {
		"msg": sprintf("tokens made with a key that %s has taken out of use stay valid: its keys are written into the policy.", [rule.issuer]),
		"path": sprintf("spec.jwtRules[%d].jwks", [i]),
	}
}
