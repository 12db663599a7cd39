# METADATA
# title: A share of the calls through another waypoint
# description: |
#   The labels istio.io/use-waypoint-canary send some calls through a second waypoint. Policies bound to the Gateway
#   of the first do not hold there, so that a caller need only try again. The feature is alpha.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/waypoint/}]
# custom:
#   severity: low
#   match: {kinds: [Service, ServiceEntry.networking.istio.io, Namespace]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       namespaces: {type: array, items: {type: string}, default: [], description: "namespaces in which waypoints may be tried"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-24, CM-2, CM-6, CM-7]
#     pci-dss-4.0.1: [1.2.1, 2.2.1, 2.2.4, 2.2.6, 7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3, CC7.1]
#     iso-27001-2022: [A.5.15, A.8.3, A.8.9]
#     hipaa: [164.312(a)(1), 164.312(c)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "NW: Automation and Orchestration"]
#     nist-800-204b: [APE-SR-1, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: Remove the label when the trial is over, or list the namespace in the parameter namespaces.
package zerotrust.waypoints.no_canary

deny contains v if {
	canary := input.object.metadata.labels["istio.io/use-waypoint-canary"]
	not canary in {"", "none"}
	not object.get(input.object, ["metadata", "namespace"], input.object.metadata.name) in input.params.namespaces
	v := {
		"msg": sprintf("what policies of the first waypoint stop may get through when it is tried again: a share of the calls goes through waypoint %s.", [canary]),
		"path": "metadata.labels[istio.io/use-waypoint-canary]",
	}
}
