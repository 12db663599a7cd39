# METADATA
# title: A gateway to which anybody can attach
# description: |
#   A listener that takes routes from all namespaces is open to whoever can write a route anywhere: a name of it can be led
#   to a Service of theirs.
# related_resources: [{ref: https://gateway-api.sigs.k8s.io/reference/spec/}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io]}
#   controls:
#     nist-800-53-r5: [AC-4, AC-4(21), SC-7, SC-7(21)]
#     pci-dss-4.0.1: [1.3.1, 1.3.2, A1.1.1, A1.1.3]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.22]
#     cisa-ztmm-2: ["NW: Network Segmentation"]
#   remediation: Say which namespaces may attach, with allowedRoutes.namespaces.from Selector and their labels, or Same.
package zerotrust.ingress.routes_from_named_namespaces

import data.zerotrust.lib.gateways

deny contains v if {
	gateways.ingress(input.object)
	some i, listener in input.object.spec.listeners
	all_namespaces(listener.allowedRoutes.namespaces)
	v := {
		"msg": sprintf("whoever can write a route in any namespace decides what is served here: listener %q takes routes from all of them.", [listener.name]),
		"path": sprintf("spec.listeners[%d].allowedRoutes.namespaces.from", [i]),
	}
}

all_namespaces(namespaces) if namespaces.from == "All"

all_namespaces(namespaces) if {
	namespaces.from == "Selector"
	count([key | some key, of in namespaces.selector; count(of) > 0]) == 0
}
