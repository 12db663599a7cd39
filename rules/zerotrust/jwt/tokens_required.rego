# METADATA
# title: Tokens that are checked and not asked for
# description: |
#   A RequestAuthentication refuses tokens that are not valid, and lets in requests that carry none. That a token is
#   needed is said by an AuthorizationPolicy at the same place: one that goes by requestPrincipals,
#   notRequestPrincipals or request.auth, or a CUSTOM whose provider decides.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/request_authentication/}]
# custom:
#   severity: critical
#   match: {kinds: [RequestAuthentication.security.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-3(13), IA-2, IA-8, SC-23]
#     pci-dss-4.0.1: [7.3.1, 7.3.2, 8.3.1]
#     soc2: [CC6.1, CC6.3, CC6.6]
#     iso-27001-2022: [A.8.3, A.8.5]
#     hipaa: [164.312(a)(1), 164.312(d)]
#     cisa-ztmm-2: ["AW: Application Access", "ID: Authentication"]
#     nist-800-204b: [APE-SR-1, EAUN-SR-1, EUAZ-SR-3]
#     nist-800-207a: [ID-SEG-REC-4, ID-SEG-REC-5]
#   remediation: >-
#     At the same targets, deny what has no token: action DENY with notRequestPrincipals "*" in from.source.
package zerotrust.jwt.tokens_required

import data.zerotrust.lib.authz
import data.zerotrust.lib.waits

deny contains v if {
	some e in input.effects
	e.enforcedBy in {"waypoint", "gateway", "sidecar"}
	not asked_for(e.target)
	v := {
		"msg": sprintf("requests without a token get in at %s %s: no AuthorizationPolicy there goes by tokens, and this RequestAuthentication only refuses wrong ones.", [e.target.kind, e.target.name]),
		"path": "spec.jwtRules",
		"verdict": e.verdict,
		"waitsFor": waits.another("AuthorizationPolicy", input.object.metadata.namespace),
	}
}

asked_for(target) if {
	some policy in there(target)
	authz.by_tokens(policy)
}

# there are the policies that hold at a target; for what is no object, those of the namespace.
there(target) := mesh.policies_for(target.kind, target.namespace, target.name) if {
	target.kind in {"Service", "ServiceEntry", "Gateway"}
} else := mesh.policies("AuthorizationPolicy", input.object.metadata.namespace)
