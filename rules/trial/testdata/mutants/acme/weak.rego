# METADATA
# title: A Service that is reached from outside
# custom:
#   severity: low
#   match: {kinds: [Service]}
package acme.weak

deny contains {"msg": sprintf("it is reached from outside, on %d ports.", [count(input.object.spec.ports)])} if {
	input.object.kind == "Service" # survives drop: match has only Services
	input.object.spec.type == "LoadBalancer"
	not exempt
	count(input.object.spec.ports) > 0
}

exempt if input.object.metadata.name == "front"

exempt if startswith(input.object.metadata.name, "public-")

# survives drop: nothing of the kind is below
never := 3
