# METADATA
# title: An ALLOW for everybody
# description: |
#   A rule without a condition matches every call. An ALLOW with one admits everybody, with or without an identity,
#   and makes every other ALLOW beside it void. A gateway at the edge may have to let strangers in; inside the mesh
#   callers can be named.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/authorization-policy/}]
# custom:
#   severity: critical
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-6, AC-24]
#     pci-dss-4.0.1: [7.2.2, 7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "ID: Access Management"]
#     nist-800-204b: [APE-SR-1, APE-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: Name the callers in from, and what they may do in to; or take the rule out.
package zerotrust.authz.no_allow_all

import data.zerotrust.lib.authz

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	some i, rule in input.object.spec.rules
	authz.empty(rule)
	authz.inside(input.effects)
	v := {
		"msg": "everybody who can reach it gets in: this rule of an ALLOW has no condition.",
		"path": sprintf("spec.rules[%d]", [i]),
	}
}
