# METADATA
# title: A route from outside past the waypoint
# description: |
#   Ingress gateways send to the pods of a Service and not through its waypoint, unless label
#   istio.io/ingress-use-waypoint says so. What comes from outside then meets neither the waypoint's telemetry nor any
#   policy that is written for it tomorrow. Where policies are there today, waypoint/waypoint-bypass tells which.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/waypoint/}]
# custom:
#   severity: medium
#   match: {kinds: [HTTPRoute.gateway.networking.k8s.io, GRPCRoute.gateway.networking.k8s.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-24, SC-7, SC-7(3), SC-7(11)]
#     pci-dss-4.0.1: [1.2.5, 1.4.1, 1.4.2, 7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3, CC6.6]
#     iso-27001-2022: [A.5.15, A.8.3, A.8.20, A.8.21]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Accessible Applications", "AW: Application Access", "NW: Network Traffic Management"]
#     nist-800-204b: [APE-SR-1, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: Set label istio.io/ingress-use-waypoint=true on the Service, or on its Namespace.
package zerotrust.waypoints.ingress_passes_waypoint

import data.zerotrust.lib.authz

deny contains v if {
	some e in input.effects
	e.enforcedBy == "gateway"
	some i, rule in input.object.spec.rules
	some j, backend in rule.backendRefs
	object.get(backend, "kind", "Service") == "Service"
	ns := object.get(backend, "namespace", input.object.metadata.namespace)
	waypoint := mesh.waypoint("Service", ns, backend.name)
	waypoint.bound
	not waypoint.ingress
	not mesh.service(ns, backend.name).spec.clusterIP == "None"
	not judged(ns, backend.name)
	v := {
		"msg": sprintf("calls from outside to Service %s/%s do not pass its waypoint %s/%s: gateways send past waypoints unless they are told otherwise.", [ns, backend.name, waypoint.namespace, waypoint.name]),
		"path": sprintf("spec.rules[%d].backendRefs[%d]", [i, j]),
	}
}

# judged is whether policies are at the waypoint already.
judged(ns, name) if {
	some policy in mesh.policies_for("Service", ns, name)
	policy.kind == "AuthorizationPolicy"
	authz.bound(policy)
}
