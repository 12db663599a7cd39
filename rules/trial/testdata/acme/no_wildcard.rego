# METADATA
# title: An ALLOW for whoever has an identity
# custom:
#   severity: low
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
package acme.no_wildcard

deny contains v if {
	allows
	some i, rule in input.object.spec.rules
	some from in rule.from
	some field in {"principals", "namespaces"}
	some value in from.source[field]
	print("looks at", field, value)
	not named(value)
	v := {"msg": sprintf("callers get in that nobody has named: %s %q.", [field, value]), "path": sprintf("spec.rules[%d]", [i])}
}

allows if input.object.spec.action == "ALLOW"

allows if count(input.object.spec.rules) > 5

named(value) if not endswith(value, "*")

named("cluster.local/*")
