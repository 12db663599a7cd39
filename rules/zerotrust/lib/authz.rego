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

# layers are those that judge calls to an object.
layers(object) := mesh.layers(object.kind, object.metadata.namespace, object.metadata.name)

# layers_of_namespace are those that judge calls to its plain pods.
layers_of_namespace(name) := mesh.layers("Namespace", "", name)

# by_tokens is whether a policy goes by the token of a request, or asks another service.
by_tokens(policy) if policy.spec.action == "CUSTOM"

by_tokens(policy) if {
	some rule in policy.spec.rules
	some from in rule.from
	some field in ["requestPrincipals", "notRequestPrincipals"]
	from.source[field] != []
}

by_tokens(policy) if {
	some rule in policy.spec.rules
	some condition in rule.when
	startswith(condition.key, "request.auth.")
}
