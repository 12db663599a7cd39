# METADATA
# title: A Service whose waypoint lets everybody through
# description: |
#   A Service that is bound to a waypoint is called through it, and the pods see the waypoint. What the waypoint does
#   not deny gets in, whatever a default deny at the pods says. It denies nothing before at least one ALLOW names the
#   Service, the waypoint or its class.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/l7-features/}]
# custom:
#   severity: critical
#   match: {kinds: [Service, ServiceEntry.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-24, SC-7(5)]
#     pci-dss-4.0.1: [1.3.1, 7.2.5, 7.3.1, 7.3.2, 7.3.3]
#     soc2: [CC6.1, CC6.3, CC6.6]
#     iso-27001-2022: [A.5.15, A.8.3, A.8.20, A.8.22]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-1, APE-SR-3, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: >-
#     Write an ALLOW for the callers of the Service and bind it with targetRefs, or bind a default deny to the
#     waypoint.
package zerotrust.default_deny.services

import data.zerotrust.lib.authz
import data.zerotrust.lib.waits

deny contains v if {
	some layer in authz.layers(input.object)
	waypoint := layer.by
	not layer.closed
	v := {
		"msg": sprintf("whoever calls it gets through: no policy at waypoint %s/%s denies what none admits.", [waypoint.namespace, waypoint.name]),
		"path": "metadata.name",
		"waitsFor": waits.another("AuthorizationPolicy", input.object.metadata.namespace),
	}
}
