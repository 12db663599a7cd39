# METADATA
# title: A waypoint that shares its identity
# description: |
#   Pods that admit nobody but their waypoint admit whoever runs as its service account. If another workload does, or
#   another waypoint, it gets in past every policy that is enforced there.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/annotations/}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, IA-3, IA-3(1), IA-9, SC-7(5), SC-23]
#     pci-dss-4.0.1: [1.3.1, 7.2.5, 7.3.3]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.5.16, A.8.5, A.8.20, A.8.22]
#     hipaa: [164.312(a)(1), 164.312(d)]
#     cisa-ztmm-2: ["ID: Authentication", "NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-3, SAUN-SR-1, SAUN-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-2, ID-SEG-REC-3]
#   remediation: >-
#     Give the waypoint a service account that nothing else runs as; without annotation
#     networking.istio.io/service-account istiod makes one.
package zerotrust.waypoints.own_service_account

import data.zerotrust.lib.waypoints

deny contains v if {
	waypoints.is_waypoint(input.object)
	account := waypoints.account(input.object)
	some w in mesh.workloads_as(input.object.metadata.namespace, account)
	w.mode != "waypoint"
	v := {
		"msg": sprintf("%s %s gets in wherever this waypoint does: both run as service account %s.", [w.kind, w.name, account]),
		"path": "metadata.annotations[networking.istio.io/service-account]",
	}
}

deny contains v if {
	waypoints.is_waypoint(input.object)
	account := waypoints.account(input.object)
	some other in mesh.policies("Gateway", input.object.metadata.namespace)
	other.metadata.name != input.object.metadata.name
	waypoints.account(other) == account
	v := {
		"msg": sprintf("Gateway %s gets in wherever this waypoint does: both run as service account %s.", [other.metadata.name, account]),
		"path": "metadata.annotations[networking.istio.io/service-account]",
	}
}
