# METADATA
# title: A way out that nobody guards
# description: |
#   Calls to a ServiceEntry that is bound to no waypoint leave from the pod itself, by ztunnel: no policy says who may call
#   the host or what, and no proxy originates TLS or writes the request down.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/waypoint/}]
# custom:
#   severity: medium
#   match: {kinds: [ServiceEntry.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-4, SC-7, SC-7(5), SC-7(10)]
#     pci-dss-4.0.1: [1.2.5, 1.3.2]
#     soc2: [CC6.6, CC6.7]
#     iso-27001-2022: [A.8.20, A.8.22, A.8.23]
#     cisa-ztmm-2: ["NW: Network Traffic Management"]
#   remediation: Make a waypoint for what leaves the mesh, and give the ServiceEntry label istio.io/use-waypoint.
package zerotrust.egress.passes_waypoint

import data.zerotrust.lib.pods
import data.zerotrust.lib.waypoints

deny contains v if {
	object.get(input.object.spec, "location", "MESH_EXTERNAL") == "MESH_EXTERNAL"
	pods.plain(input.object.metadata.namespace).mode == "ambient"
	not waypoints.of(input.object).asked
	v := {
		"msg": sprintf("nothing says which workloads may call %s: the ServiceEntry asks for no waypoint.", [concat(", ", input.object.spec.hosts)]),
		"path": "metadata.labels[istio.io/use-waypoint]",
	}
}
