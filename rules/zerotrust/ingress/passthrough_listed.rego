# METADATA
# title: TLS that a gateway does not look into
# description: |
#   What is passed through is not decrypted at the gateway. Neither its policies on requests nor its access logs see what
#   is asked, so the workload alone decides. It is for gateways between clusters, and for what cannot be terminated.
# related_resources: [{ref: https://gateway-api.sigs.k8s.io/reference/spec/}]
# custom:
#   severity: medium
#   match: {kinds: [Gateway.gateway.networking.k8s.io, Gateway.networking.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [], description: "gateways that may, as in edge/east-west"}
#   controls:
#     nist-800-53-r5: [SC-7, SC-7(3), SC-7(11)]
#     pci-dss-4.0.1: [1.2.5, 1.4.1, 1.4.2]
#     soc2: [CC6.6]
#     iso-27001-2022: [A.8.20, A.8.21]
#     cisa-ztmm-2: ["AW: Accessible Applications", "NW: Network Traffic Management"]
#   remediation: Terminate TLS at the gateway, or list it in the parameter allowed.
package zerotrust.ingress.passthrough_listed

import data.zerotrust.lib.gateways
import data.zerotrust.lib.pods

deny contains v if {
	not pods.key(input.object) in input.params.allowed
	some path, name in passed
	v := {
		"msg": sprintf("neither policies nor logs of the gateway see what is asked: %s passes TLS through.", [name]),
		"path": path,
	}
}

passed[sprintf("spec.listeners[%d].tls.mode", [i])] := sprintf("listener %q", [listener.name]) if {
	gateways.ingress(input.object)
	some i, listener in input.object.spec.listeners
	listener.tls.mode == "Passthrough"
}

passed[sprintf("spec.servers[%d].tls.mode", [i])] := sprintf("port %d", [server.port.number]) if {
	some i, server in input.object.spec.servers
	server.tls.mode in {"PASSTHROUGH", "AUTO_PASSTHROUGH"}
}
