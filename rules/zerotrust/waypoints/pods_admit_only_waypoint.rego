# METADATA
# title: Pods that can be called past their waypoint
# description: |
#   Nothing makes a caller go through a waypoint: who calls a pod by its address, has a sidecar or is outside the mesh
#   reaches it directly, and meets none of the waypoint's policies. Only ztunnel at the pods can keep such callers
#   out, by a policy that admits the waypoint's identity and no other. This is demanded of every Service behind a
#   waypoint, whether the input shows a way round it or not.
# related_resources: [{ref: https://github.com/istio/istio.io/issues/17520}]
# custom:
#   severity: high
#   match: {kinds: [Service]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       direct: {type: array, items: {type: string}, default: [], description: "principals, serviceAccounts and namespaces that may, as policies write them"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-4(21), AC-24, SC-7, SC-7(5), SC-7(21)]
#     pci-dss-4.0.1: [1.3.1, 1.3.2, 7.2.5, 7.3.1, 7.3.2, 7.3.3, A1.1.1, A1.1.3]
#     soc2: [CC6.1, CC6.3, CC6.6]
#     iso-27001-2022: [A.5.15, A.8.3, A.8.20, A.8.22]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-1, APE-SR-3, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: >-
#     At the pods, admit the waypoint's principal alone, and in the parameter direct list whom else you mean to let in
#     there, such as what scrapes metrics.
package zerotrust.waypoints.pods_admit_only_waypoint

import data.zerotrust.lib.authz
import data.zerotrust.lib.waits
import data.zerotrust.lib.waypoints

deny contains v if {
	at_pods.guarded == false
	v := {
		"msg": sprintf("whoever calls its pods by their addresses meets no policy of waypoint %s/%s: nothing at the pods keeps out who does not come through it.", [waypoint.namespace, waypoint.name]),
		"path": "metadata.name",
		"waitsFor": waits.another("AuthorizationPolicy", input.object.metadata.namespace),
	}
}

deny contains v if {
	at_pods.guarded
	some policy in mesh.policies_for("Service", input.object.metadata.namespace, input.object.metadata.name)
	policy.kind == "AuthorizationPolicy"
	authz.allows(policy)
	not authz.bound(policy)
	some caller in mesh.callers("AuthorizationPolicy", policy.metadata.namespace, policy.metadata.name)
	not caller.value in input.params.direct
	principal := principal_of(caller)
	principal != waypoint.principal
	mesh.admits("Service", input.object.metadata.namespace, input.object.metadata.name, principal)
	v := {
		"msg": sprintf("%s can call its pods by their addresses and meets no policy of waypoint %s/%s: AuthorizationPolicy %s/%s admits it there.", [caller.value, waypoint.namespace, waypoint.name, policy.metadata.namespace, policy.metadata.name]),
		"path": "metadata.name",
	}
}

waypoint := waypoints.of(input.object)

# at_pods is ztunnel before the pods of a Service that a waypoint serves.
at_pods := layer if {
	layers := authz.layers(input.object)
	some front in layers
	front.enforcedBy == "waypoint"
	some layer in layers
	layer.enforcedBy == "ztunnel"
}

# principal_of is a caller, or one that nobody has named where a whole namespace is.
principal_of(caller) := caller.principal

# survives constant: one name that nobody has is as good as another.
principal_of(caller) := sprintf("%s/ns/%s/sa/whoever", [mesh.trust_domain(), caller.namespace]) if not caller.account
