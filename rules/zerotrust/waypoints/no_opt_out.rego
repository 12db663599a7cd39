# METADATA
# title: A Service that opts out of its namespace's waypoint
# description: |
#   Label istio.io/use-waypoint=none takes a Service out of the waypoint that its Namespace asks for, and with it out
#   of every policy for the waypoint, those of tomorrow too. Who can label a Service can do so. Where policies name
#   the Service today, waypoint/opted-out tells.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/waypoint/}]
# custom:
#   severity: medium
#   match: {kinds: [Service, ServiceEntry.networking.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [], description: "Services and ServiceEntries that may, as in shop/cart"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-5, AC-6(1), AC-24, CM-5, CM-5(1)]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2, 7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.5.15, A.8.2, A.8.3, A.8.32]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "NW: Governance"]
#     nist-800-204b: [APE-SR-1, ISMC-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: Remove the label, or list the Service in the parameter allowed.
package zerotrust.waypoints.no_opt_out

import data.zerotrust.lib.authz
import data.zerotrust.lib.pods
import data.zerotrust.lib.waypoints

deny contains v if {
	waypoints.of(input.object).optsOut
	waypoint := waypoints.of_namespace(input.object.metadata.namespace)
	not pods.key(input.object) in input.params.allowed
	not named
	v := {
		"msg": sprintf("no policy of waypoint %s/%s holds for calls to it: its label istio.io/use-waypoint=none hides the Namespace's.", [waypoint.namespace, waypoint.name]),
		"path": "metadata.labels[istio.io/use-waypoint]",
	}
}

# named is whether a policy names the Service.
named if {
	some policy in mesh.policies_for(input.object.kind, input.object.metadata.namespace, input.object.metadata.name)
	authz.bound(policy)
}
