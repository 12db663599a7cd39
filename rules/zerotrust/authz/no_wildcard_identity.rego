# METADATA
# title: An ALLOW for whoever has an identity
# description: |
#   A principal, service account or namespace that is only a wildcard lets in everything that is in the mesh, and one whose
#   wildcard spans the trust domain or the namespace lets in what somebody else may name as they like. An ALLOW is for
#   callers that can be named.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/authorization-policy/#Source}]
# custom:
#   severity: high
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3]
#     cisa-ztmm-2: ["ID: Access Management"]
#     nist-800-204b: [SAUZ-SR-1, APE-SR-2]
#   remediation: Name the callers by their principals, as in cluster.local/ns/shop/sa/cart, or by serviceAccounts.
package zerotrust.authz.no_wildcard_identity

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	some caller in mesh.callers("AuthorizationPolicy", input.object.metadata.namespace, input.object.metadata.name)
	contains(caller.value, "*")
	v := {
		"msg": sprintf("callers get in that nobody has named: %s %q %s.", [caller.field, caller.value, wildcard(caller.field, caller.value)]),
		"path": caller.path,
	}
}

wildcard(_, "*") := "is everybody who has an identity"

wildcard("principals", value) := "is a service account of that name in any trust domain or namespace" if {
	value != "*"
	startswith(value, "*")
}

wildcard("principals", value) := "is every service account of any namespace that begins so" if {
	endswith(value, "*")
	not contains(value, "/sa/")
	not startswith(value, "*")
}
