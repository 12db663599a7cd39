# METADATA
# title: A policy of nobody
# description: |
#   A policy without the label team belongs to nobody who could be asked about it.
# custom:
#   severity: high
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   params: {type: object, additionalProperties: false, properties: {label: {type: string, default: team}}}
#   remediation: Set the label.
package acme.owned

deny contains {"msg": msg, "path": "metadata.labels"} if {
	labels := object.get(input.object.metadata, "labels", {})
	not labels[input.params.label]
	msg := sprintf("nobody can be asked about this: it has no label %s.", [input.params.label])
}
