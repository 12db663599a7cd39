# METADATA
# title: A waypoint for whoever asks
# description: |
#   A waypoint whose listener takes routes from all namespaces serves every Service that asks for it, with its identity and
#   its policies. Who may attach to it is then decided by whoever can label a Service.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/waypoint/#usewaypointnamespace}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io]}
#   controls:
#     nist-800-53-r5: [AC-4, SC-7, SC-7(21)]
#     pci-dss-4.0.1: [1.3.1, 1.3.2]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.22]
#     cisa-ztmm-2: ["NW: Network Segmentation"]
#     nist-800-204b: [SAUZ-SR-1, APE-SR-3]
#   remediation: Say which namespaces may attach, with allowedRoutes.namespaces.from Selector and their labels, or Same.
package zerotrust.waypoints.names_its_namespaces

import data.zerotrust.lib.waypoints

deny contains v if {
	waypoints.is_waypoint(input.object)
	some i, listener in input.object.spec.listeners
	listener.allowedRoutes.namespaces.from == "All"
	v := {
		"msg": sprintf("any namespace can attach its Services to this waypoint: listener %q takes routes from all of them.", [listener.name]),
		"path": sprintf("spec.listeners[%d].allowedRoutes.namespaces.from", [i]),
	}
}
