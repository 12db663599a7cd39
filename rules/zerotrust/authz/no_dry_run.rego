# METADATA
# title: A policy that is only tried
# description: |
#   A policy with annotation istio.io/dry-run is compared with calls, which are logged, and stops none of them. It is
#   a way to find out what a policy would do, and no state to stay in. What ztunnel does with a dry run, and what a
#   dry run of a CUSTOM does, is told by effect/dry-run.
# related_resources: [{ref: https://istio.io/latest/docs/tasks/security/authorization/authz-dry-run/}]
# custom:
#   severity: medium
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       namespaces: {type: array, items: {type: string}, default: [], description: "namespaces in which policies may be tried for as long as one likes"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-5, AC-6(1), AC-24, CM-5, CM-5(1)]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2, 7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.5.15, A.8.2, A.8.3, A.8.32]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "NW: Governance"]
#     nist-800-204b: [APE-SR-1, ISMC-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: >-
#     Remove the annotation when the logs show what you expect, or list the namespace in the parameter namespaces.
package zerotrust.authz.no_dry_run

import data.zerotrust.lib.authz

deny contains v if {
	authz.tried(input.object)
	not input.object.spec.action == "CUSTOM"
	not input.object.metadata.namespace in input.params.namespaces
	some e in input.effects
	e.target.kind in {"Service", "ServiceEntry", "Gateway", "GatewayClass"}
	v := {
		"msg": sprintf("calls to %s %s are let through that it is to stop: the policy is only tried.", [e.target.kind, e.target.name]),
		"path": "metadata.annotations[istio.io/dry-run]",
	}
}
