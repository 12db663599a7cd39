# METADATA
# title: A sensitive Service without a waypoint
# description: |
#   Without a waypoint a Service is guarded by what ztunnel can compare: who calls, and on which port. Where the data
#   behind it is sensitive, methods, paths and tokens are to be judged too, and that takes a waypoint. Which
#   namespaces are sensitive is said by a label.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/waypoint/}]
# custom:
#   severity: medium
#   match: {kinds: [Service]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       namespaces:
#         type: object
#         additionalProperties: {type: array, items: {type: string}}
#         default: {data-class: [confidential, restricted]}
#         description: "labels, and their values, that make a namespace sensitive"
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-4(21), AC-24, SC-7, SC-7(21)]
#     pci-dss-4.0.1: [1.3.1, 1.3.2, 7.2.5, 7.3.1, 7.3.2, A1.1.1, A1.1.3]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.8.3, A.8.22]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-1, APE-SR-3, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: Make a waypoint, and give the Service or its Namespace label istio.io/use-waypoint.
package zerotrust.waypoints.sensitive_has_waypoint

import data.zerotrust.lib.waypoints

deny contains v if {
	some key, values in input.params.namespaces
	input.namespace.labels[key] in values
	mesh.enrolled("Service", input.object.metadata.namespace, input.object.metadata.name)
	not input.object.spec.clusterIP == "None"
	waypoint := waypoints.of(input.object)
	not waypoint.asked
	not waypoint.optsOut
	v := {
		"msg": sprintf("calls to it are judged by caller and port alone: it asks for no waypoint, and its Namespace has label %s=%s.", [key, input.namespace.labels[key]]),
		"path": "metadata.labels",
	}
}
