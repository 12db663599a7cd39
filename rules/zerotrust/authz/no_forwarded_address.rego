# METADATA
# title: A policy that believes what callers say of themselves
# description: |
#   remoteIpBlocks is compared with the address in header X-Forwarded-For. A gateway at the edge writes that header; a
#   waypoint and a sidecar take over what the caller sent, so that whoever is inside the mesh can name any address
#   there.
# related_resources: [{ref: https://istio.io/latest/docs/ops/configuration/traffic-management/network-topologies/}]
# custom:
#   severity: high
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-24, IA-3, IA-3(1), IA-9, SC-23]
#     pci-dss-4.0.1: [7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.5.16, A.8.3, A.8.5]
#     hipaa: [164.312(a)(1), 164.312(d)]
#     cisa-ztmm-2: ["AW: Application Access", "ID: Authentication"]
#     nist-800-204b: [APE-SR-1, SAUN-SR-1, SAUN-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-2, ID-SEG-REC-3]
#   remediation: Ask for the caller's identity, or decide by addresses at the gateway.
package zerotrust.authz.no_forwarded_address

deny contains v if {
	some e in input.effects
	e.enforcedBy in {"waypoint", "sidecar"}
	some place in forwarded
	v := {
		"msg": sprintf("callers can write the address by which a %s judges them: %s.", [e.enforcedBy, place.why]),
		"path": place.path,
		"verdict": e.verdict,
	}
}

forwarded contains place if {
	some i, rule in input.object.spec.rules
	some j, from in rule.from
	some field in ["remoteIpBlocks", "notRemoteIpBlocks"]
	from.source[field] != []
	place := {
		"path": sprintf("spec.rules[%d].from[%d].source.%s", [i, j, field]),
		"why": sprintf("%s is compared with header X-Forwarded-For", [field]),
	}
}

forwarded contains place if {
	some i, rule in input.object.spec.rules
	some j, condition in rule.when
	condition.key == "remote.ip"
	place := {
		"path": sprintf("spec.rules[%d].when[%d].key", [i, j]),
		"why": "remote.ip is compared with header X-Forwarded-For",
	}
}
