# METADATA
# title: A port on which plaintext is let in
# description: |
#   portLevelMtls can take a port out of STRICT. On that port callers need no certificate, and policies that ask who
#   calls are compared with nobody. Only a PeerAuthentication that is in force is told.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/peer_authentication/}]
# custom:
#   severity: high
#   match: {kinds: [PeerAuthentication.security.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       ports: {type: array, items: {type: integer}, default: [], description: "ports on which plaintext is accepted"}
#   controls:
#     nist-800-53-r5: [SC-8, SC-8(1), SC-13]
#     pci-dss-4.0.1: [2.2.7, 4.2.1]
#     soc2: [CC6.1, CC6.7]
#     iso-27001-2022: [A.5.14, A.8.20, A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#     nist-800-204b: [SAUN-SR-1]
#     nist-800-207a: [ID-SEG-REC-1]
#   remediation: >-
#     Remove the port from spec.portLevelMtls, or list it in the parameter ports where plaintext is meant.
package zerotrust.mtls.no_plaintext_port

deny contains v if {
	some port, level in input.object.spec.portLevelMtls
	level.mode in {"PERMISSIVE", "DISABLE"}
	not excepted(port)
	in_force
	v := {
		"msg": sprintf("whoever has no certificate gets in on port %s: its mode is %s, which takes plaintext.", [port, level.mode]),
		"path": sprintf("spec.portLevelMtls[%s].mode", [port]),
	}
}

excepted(port) if {
	some one in input.params.ports
	format_int(one, 10) == port
}

in_force if {
	some e in input.effects
	e.enforcedBy in {"ztunnel", "sidecar"}
}
