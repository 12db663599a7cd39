# METADATA
# title: Plaintext that leaves the mesh
# description: |
#   A port of protocol HTTP of a host outside is called in plaintext, unless its waypoint makes TLS of it. Whoever is on the
#   way reads what is asked, and the tokens with it.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/networking/service-entry/}]
# custom:
#   severity: high
#   match: {kinds: [ServiceEntry.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [SC-8, SC-8(1), SC-13]
#     pci-dss-4.0.1: [4.2.1]
#     soc2: [CC6.1, CC6.7]
#     iso-27001-2022: [A.5.14, A.8.20, A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#   remediation: Have the waypoint originate TLS by a DestinationRule with tls.mode SIMPLE, or let the workloads call by HTTPS.
package zerotrust.egress.no_plaintext

import data.zerotrust.lib.waits

deny contains v if {
	object.get(input.object.spec, "location", "MESH_EXTERNAL") == "MESH_EXTERNAL"
	some i, port in input.object.spec.ports
	upper(port.protocol) in {"HTTP", "HTTP2", "GRPC"}
	some host in input.object.spec.hosts
	not originates(host)
	v := {
		"msg": sprintf("whoever is on the way reads what is asked of %s: port %d is plaintext, and nothing makes TLS of it.", [host, port.number]),
		"path": sprintf("spec.ports[%d].protocol", [i]),
		"waitsFor": waits.another("DestinationRule", input.object.metadata.namespace),
	}
}

# originates is whether calls to a host become TLS, on one port at least.
originates(host) if {
	some rule in mesh.policies("DestinationRule", input.object.metadata.namespace)
	rule.spec.host == host
	some policy in array.concat([rule.spec.trafficPolicy], object.get(rule.spec.trafficPolicy, "portLevelSettings", []))
	policy.tls.mode in {"SIMPLE", "MUTUAL"}
}
