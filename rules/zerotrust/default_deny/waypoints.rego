# METADATA
# title: A waypoint that lets everybody through unless told otherwise
# description: |
#   Waypoints take no notice of policies for namespaces and the mesh, so that a default deny at the pods says nothing
#   to them: the pods let the waypoint in, and the waypoint whoever calls. A Service that is bound tomorrow is open
#   until somebody names it in a policy.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/l7-features/}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, SC-7(5)]
#     pci-dss-4.0.1: [1.3.1, 7.3.3]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.8.20, A.8.22]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-3, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: >-
#     Bind an AuthorizationPolicy without rules to the waypoint's Gateway, or from Istio's root namespace to
#     GatewayClass istio-waypoint.
package zerotrust.default_deny.waypoints

import data.zerotrust.lib.authz
import data.zerotrust.lib.waits

deny contains v if {
	some layer in authz.layers(input.object)
	not layer.closed
	v := {
		"msg": "whoever calls a Service by this waypoint gets through, unless a policy names the Service: nothing at the waypoint itself denies what no policy admits.",
		"path": "metadata.name",
		"waitsFor": waits.another("AuthorizationPolicy", input.object.metadata.namespace),
	}
}
