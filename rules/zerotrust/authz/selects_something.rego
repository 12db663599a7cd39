# METADATA
# title: A policy that selects nothing
# description: |
#   A policy whose selector matches no workload restricts nobody. It is left over from something that was removed, or
#   its labels are misspelt, and then what it is meant for is not guarded.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/authorization-policy/}]
# custom:
#   severity: medium
#   match: {kinds: [AuthorizationPolicy.security.istio.io, RequestAuthentication.security.istio.io]}
#   controls:
#     nist-800-53-r5: [CM-2, CM-6, CM-7]
#     pci-dss-4.0.1: [1.2.1, 2.2.1, 2.2.4, 2.2.6]
#     soc2: [CC7.1]
#     iso-27001-2022: [A.8.9]
#     hipaa: [164.312(c)(1)]
#     cisa-ztmm-2: ["NW: Automation and Orchestration"]
#   remediation: Correct the selector, or remove the policy.
package zerotrust.authz.selects_something

deny contains v if {
	some e in input.effects
	e.reason == "NoWorkloads"
	v := {
		"msg": sprintf("this %s guards nothing: no workload has the labels that it selects.", [input.object.kind]),
		"path": "spec.selector",
		"verdict": e.verdict,
	}
}
