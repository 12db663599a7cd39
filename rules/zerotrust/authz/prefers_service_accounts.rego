# METADATA
# title: An ALLOW for a whole namespace
# description: |
#   A source that names a namespace and no service account admits every workload of it, those of tomorrow too, and
#   whoever can make a pod there. A service account is the finest identity that a workload has.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/authorization-policy/}]
# custom:
#   severity: low
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management"]
#     nist-800-204b: [APE-SR-2, SAUZ-SR-1]
#   remediation: Name the callers' service accounts, in serviceAccounts or principals.
package zerotrust.authz.prefers_service_accounts

import data.zerotrust.lib.authz

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	some i, rule in input.object.spec.rules
	some j, from in rule.from
	from.source.namespaces != []
	not finer(from.source)
	authz.inside(input.effects)
	v := {
		"msg": sprintf("every workload of %s gets in: the source names no service account.", [concat(", ", from.source.namespaces)]),
		"path": sprintf("spec.rules[%d].from[%d].source.namespaces", [i, j]),
	}
}

finer(source) if {
	some field in ["principals", "requestPrincipals"]
	source[field] != []
}
