# METADATA
# title: A gateway for every host
# description: |
#   A listener without a host name, or with only a wildcard, takes requests for whatever name the caller writes. Each route
#   that is attached to it can claim any host, its neighbour's too.
# related_resources: [{ref: https://gateway-api.sigs.k8s.io/reference/spec/}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io, Gateway.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [SC-7, SC-7(3), SC-7(11)]
#     pci-dss-4.0.1: [1.2.5, 1.4.1, 1.4.2]
#     soc2: [CC6.6]
#     iso-27001-2022: [A.8.20, A.8.21]
#     cisa-ztmm-2: ["AW: Accessible Applications", "NW: Network Traffic Management"]
#   remediation: Name the hosts, or at least the domain of one organisation, as in *.example.com.
package zerotrust.ingress.no_wildcard_host

import data.zerotrust.lib.gateways

deny contains v if {
	gateways.ingress(input.object)
	some i, listener in input.object.spec.listeners
	listener.protocol in {"HTTP", "HTTPS", "TLS"}
	gateways.any_host(object.get(listener, "hostname", "*"))
	v := {
		"msg": sprintf("whoever attaches a route can claim any host: listener %q names none.", [listener.name]),
		"path": sprintf("spec.listeners[%d].hostname", [i]),
	}
}

deny contains v if {
	some i, server in input.object.spec.servers
	some j, host in server.hosts
	gateways.any_host(host)
	v := {
		"msg": sprintf("whoever binds a VirtualService can claim any host: host %q of port %d is all of them.", [host, server.port.number]),
		"path": sprintf("spec.servers[%d].hosts[%d]", [i, j]),
	}
}
