# METADATA
# title: A policy has fewer labels than one
# custom:
#   severity: high
#   remediation: Give the policy a label.
#   match:
#     kinds: [AuthorizationPolicy.security.istio.io]
#     phases: [admission]
package acme.at_admission

deny contains {"msg": "it has one label"} if {
	1 / count(object.get(input.object.metadata, "labels", {})) == 1
}
