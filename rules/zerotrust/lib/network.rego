# METADATA
# description: What rules about NetworkPolicies share.
package zerotrust.lib.network

# closed is whether NetworkPolicies of a namespace deny to all of its pods what none admits, in a direction: "Ingress" or
# "Egress". Policies add up: one that admits everything to all pods opens what another one closes.
closed(namespace, direction) if {
	wide := [policy |
		some policy in mesh.policies("NetworkPolicy", namespace)
		all_pods(policy)
		direction in directions(policy)
	]
	count(wide) > 0
	every policy in wide {
		not opens(policy, direction)
	}
}

# all_pods is whether a policy selects every pod of its namespace.
all_pods(policy) if count([key | some key, of in object.get(policy, ["spec", "podSelector"], {}); count(of) > 0]) == 0

# directions are those that a policy is about. Where it does not say, that is Ingress, and Egress if it has rules for it.
directions(policy) := policy.spec.policyTypes

directions(policy) := ["Ingress", "Egress"] if {
	not policy.spec.policyTypes
	count(object.get(policy, ["spec", "egress"], [])) > 0
}

directions(policy) := ["Ingress"] if {
	not policy.spec.policyTypes
	count(object.get(policy, ["spec", "egress"], [])) == 0
}

# opens is whether a rule of a policy admits everything.
opens(policy, direction) if {
	some rule in object.get(policy, ["spec", lower(direction)], [])
	count([key | some key, of in rule; count(of) > 0]) == 0
}
