# METADATA
# title: An ALLOW that does not ask who calls
# description: |
#   An ALLOW that goes by ports, paths or addresses admits everybody who gets there. An address is not an identity: it
#   is given anew, shared behind a NAT, and can be the waypoint's. Inside the mesh every caller has a certificate that
#   says who it is, and a policy can ask for it.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/authorization-policy/}]
# custom:
#   severity: high
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       ports: {type: array, items: {type: string}, default: [], description: "ports on which anybody may call, as in \"15020\" for metrics"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-24, IA-3, IA-3(1), IA-9, SC-23]
#     pci-dss-4.0.1: [7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.5.16, A.8.3, A.8.5]
#     hipaa: [164.312(a)(1), 164.312(d)]
#     cisa-ztmm-2: ["AW: Application Access", "ID: Authentication"]
#     nist-800-204b: [APE-SR-1, SAUN-SR-1, SAUN-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-2, ID-SEG-REC-3]
#   remediation: >-
#     Name the callers, in principals, serviceAccounts or namespaces of from.source, or in requestPrincipals where a
#     token is validated.
package zerotrust.authz.allow_names_caller

import data.zerotrust.lib.authz

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	some i, rule in input.object.spec.rules
	some place in nameless(i, rule)
	not authz.empty(rule)
	not asks_below(rule)
	not admitted(rule)
	authz.inside(input.effects)
	v := {
		"msg": sprintf("callers get in whoever they are: this ALLOW %s.", [place.why]),
		"path": place.path,
	}
}

nameless(i, rule) := [{"path": sprintf("spec.rules[%d]", [i]), "why": "does not ask who calls"}] if {
	not rule.from
} else := [{"path": sprintf("spec.rules[%d].from[%d].source", [i, j]), "why": why(from.source)} |
	some j, from in rule.from
	not from.source.principals
	not from.source.serviceAccounts
	not from.source.namespaces
	not from.source.requestPrincipals
]

# asks_below is whether a condition of the rule names callers by what they can prove.
asks_below(rule) if {
	some condition in rule.when
	condition.values != []
	proves(condition.key)
}

proves(key) if key in {"source.principal", "source.namespace", "source.serviceAccount"}

proves(key) if startswith(key, "request.auth.")

why(source) := "goes by their addresses" if addressed(source)

why(source) := "only says who they are not" if not addressed(source)

addressed(source) if {
	some field in ["ipBlocks", "remoteIpBlocks", "notIpBlocks", "notRemoteIpBlocks"]
	source[field]
}

# admitted is whether a rule is about ports alone on which anybody may call.
admitted(rule) if {
	rule.to != []
	every to in rule.to {
		to.operation.ports != []
		every port in to.operation.ports {
			port in input.params.ports
		}
	}
}
