# METADATA
# title: A policy that gives away how tokens are made
# description: |
#   jwks holds the keys that tokens are checked with. One of type oct is the same that they are made with, and one
#   with a private part is too. Whoever can read the policy, which is no Secret, makes tokens for anybody.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/request_authentication/}]
# custom:
#   severity: critical
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
#   remediation: Let the issuer use a key pair, publish only its public part, and take the old key out of use.
package zerotrust.jwt.no_secret_keys

deny contains v if {
	some i, rule in input.object.spec.jwtRules
	json.is_valid(rule.jwks)
	some key in json.unmarshal(rule.jwks).keys
	why := secret(key)
	v := {
		"msg": sprintf("whoever reads this policy can make tokens that are let in: a key of %s %s.", [rule.issuer, why]),
		"path": sprintf("spec.jwtRules[%d].jwks", [i]),
	}
}

secret(key) := "is the one that tokens are made with (kty is oct)" if key.kty == "oct"

secret(key) := "has its private part (d)" if {
	key.kty != "oct"
	key.d
}
