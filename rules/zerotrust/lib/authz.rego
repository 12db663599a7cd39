# METADATA
# description: What rules about AuthorizationPolicies share.
package zerotrust.lib.authz

# allows is whether a policy is an ALLOW, which it is when it does not say.
allows(policy) if not policy.spec.action

allows(policy) if policy.spec.action == "ALLOW"

# inside is whether a policy is about calls inside the mesh, and not only about what comes in at gateways.
inside(effects) if {
	some e in effects
	e.enforcedBy != "gateway"
}

# unbound is whether a policy names neither pods nor targets, so that it holds for its whole namespace, or for the mesh.
unbound(policy) if {
	not policy.spec.selector
	not policy.spec.targetRef
	not policy.spec.targetRefs
}

# bound is whether a policy names targets.
bound(policy) if policy.spec.targetRefs

bound(policy) if policy.spec.targetRef

# empty is whether a rule has no condition, so that it matches everything.
empty(rule) if count([key | some key, of in rule; count(of) > 0]) == 0

# tried is whether a policy is a dry run.
tried(policy) if policy.metadata.annotations["istio.io/dry-run"] in {"true", "True", "TRUE", "t", "T", "1"}

# closes is whether a policy makes that what no policy names is denied.
closes(policy) if {
	allows(policy)
	not tried(policy)
	every rule in object.get(policy, ["spec", "rules"], []) {
		not empty(rule)
	}
}

# callers are the namespaces that the sources of a policy name one by one, and the service accounts where they are named,
# each with its place. What is a wildcard names nobody.
callers(policy) := {caller |
	some i, rule in policy.spec.rules
	some j, from in rule.from
	some field in ["principals", "serviceAccounts", "namespaces"]
	some k, value in from.source[field]
	who := names(field, value, policy.metadata.namespace)
	caller := {"path": sprintf("spec.rules[%d].from[%d].source.%s[%d]", [i, j, field, k]), "value": value, "namespace": who[0], "account": who[1], "trustDomain": who[2]}
}

names("namespaces", value, _) := [value, "", ""] if not contains(value, "*")

names("serviceAccounts", value, own) := [own, value, ""] if not contains(value, "/")

names("serviceAccounts", value, _) := [parts[0], parts[1], ""] if {
	parts := split(value, "/")
	count(parts) == 2
}

names("principals", value, _) := [parts[2], parts[4], parts[0]] if {
	parts := split(value, "/")
	count(parts) == 5
	not contains(parts[2], "*")
}
