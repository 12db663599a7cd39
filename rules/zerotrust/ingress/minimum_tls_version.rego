# METADATA
# title: A gateway that takes TLS that is broken
# description: |
#   A server that is told to take TLS 1.0 or 1.1 lets a caller, or whoever is on the way, choose a version whose protection
#   is known to fail. Without a word, Istio takes 1.2 at least.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings-TLSProtocol}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.networking.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       minimum: {type: string, enum: [TLSV1_2, TLSV1_3], default: TLSV1_2, description: "the lowest version of TLS that a server may take"}
#   controls:
#     nist-800-53-r5: [SC-8, SC-8(1), SC-13]
#     pci-dss-4.0.1: [4.2.1]
#     soc2: [CC6.1, CC6.7]
#     iso-27001-2022: [A.5.14, A.8.20, A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#   remediation: Take minProtocolVersion out, or raise it to TLSV1_2 or TLSV1_3.
package zerotrust.ingress.minimum_tls_version

deny contains v if {
	some i, server in input.object.spec.servers
	version := server.tls.minProtocolVersion
	version in {"TLSV1_0", "TLSV1_1"}
	v := {
		"msg": sprintf("what comes in on port %d may be protected by what can be broken: the lowest version is %s.", [server.port.number, version]),
		"path": sprintf("spec.servers[%d].tls.minProtocolVersion", [i]),
	}
}

deny contains v if {
	input.params.minimum == "TLSV1_3"
	some i, server in input.object.spec.servers
	server.tls.mode in {"SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"}
	version := object.get(server.tls, "minProtocolVersion", "TLS_AUTO")
	version in {"TLS_AUTO", "TLSV1_2"}
	v := {
		"msg": sprintf("what comes in on port %d may be protected by less than the platform asks for: the lowest version is %s.", [server.port.number, version]),
		"path": sprintf("spec.servers[%d].tls.minProtocolVersion", [i]),
		"remedy": "Say minProtocolVersion TLSV1_3.",
	}
}
