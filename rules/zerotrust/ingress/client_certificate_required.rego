# METADATA
# title: A client certificate that callers may leave out
# description: |
#   A gateway that asks for a client certificate and goes on without one, or with one that it cannot verify, authenticates
#   only those who want to be. Policies behind it then have to tell the two apart, on each route.
# related_resources: [{ref: https://gateway-api.sigs.k8s.io/reference/spec/}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io, Gateway.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [IA-3, IA-3(1), IA-9, SC-23]
#     pci-dss-4.0.1: [7.2.5]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.5.16, A.8.5]
#     hipaa: [164.312(d)]
#     cisa-ztmm-2: ["ID: Authentication"]
#   remediation: Require the certificate, with MUTUAL or AllowValidOnly.
package zerotrust.ingress.client_certificate_required

deny contains v if {
	some i, server in input.object.spec.servers
	server.tls.mode == "OPTIONAL_MUTUAL"
	v := {
		"msg": sprintf("whoever leaves the client certificate out gets in on port %d as well: its mode is OPTIONAL_MUTUAL.", [server.port.number]),
		"path": sprintf("spec.servers[%d].tls.mode", [i]),
	}
}

deny contains v if {
	some path, tls in frontends
	tls.validation.mode == "AllowInsecureFallback"
	v := {
		"msg": "whoever has no client certificate, or a false one, gets in as well: the mode is AllowInsecureFallback.",
		"path": sprintf("%s.validation.mode", [path]),
	}
}

frontends["spec.tls.frontend.default"] := input.object.spec.tls.frontend["default"]

frontends[sprintf("spec.tls.frontend.perPort[%d].tls", [i])] := port.tls if some i, port in input.object.spec.tls.frontend.perPort
