# METADATA
# title: A workload that the outside reaches without a gateway
# description: |
#   A Service with a port on the nodes, a load balancer or external addresses is called from outside in plaintext and past
#   every gateway: nobody terminates TLS, asks for a token, or writes down who called.
# related_resources: [{ref: https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types}]
# custom:
#   severity: high
#   match: {kinds: [Service]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [], description: "Services that may, as in edge/web"}
#   controls:
#     nist-800-53-r5: [SC-7, SC-7(3), SC-7(11)]
#     pci-dss-4.0.1: [1.2.5, 1.4.1, 1.4.2]
#     soc2: [CC6.6]
#     iso-27001-2022: [A.8.20, A.8.21]
#     cisa-ztmm-2: ["AW: Accessible Applications", "NW: Network Traffic Management"]
#   remediation: Make it a ClusterIP and lead to it by a route of a gateway, or list it in the parameter allowed.
package zerotrust.ingress.only_gateways_exposed

import data.zerotrust.lib.pods

deny contains v if {
	why := exposed
	not pods.key(input.object) in input.params.allowed
	some w in pods.of(input.object)
	pods.captured(w)
	v := {
		"msg": sprintf("the outside calls %s %s past every gateway: the Service has %s.", [w.kind, w.name, why]),
		"path": paths[why],
	}
}

exposed := "type LoadBalancer" if input.object.spec.type == "LoadBalancer"

else := "type NodePort" if input.object.spec.type == "NodePort"

else := "external addresses" if count(input.object.spec.externalIPs) > 0

paths := {"type LoadBalancer": "spec.type", "type NodePort": "spec.type", "external addresses": "spec.externalIPs"}
