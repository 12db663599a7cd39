# METADATA
# title: A namespace of which nobody knows what it is
# description: |
#   Whose a namespace is, which environment it belongs to and how sensitive its data are decides which policies it
#   needs and who is asked about an exception. Other rules of this library go by these labels.
# related_resources: [{ref: https://kubernetes.io/docs/concepts/security/multi-tenancy/}]
# custom:
#   severity: medium
#   match: {kinds: [Namespace]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       labels:
#         type: object
#         additionalProperties: {type: array, items: {type: string}}
#         default: {owner: [], env: [], data-class: [public, internal, confidential, restricted]}
#         description: "labels that a namespace needs, and their values; none for any"
#       exempt:
#         type: array
#         items: {type: string}
#         default: [default, kube-system, kube-public, kube-node-lease]
#         description: "namespaces that need none"
#   controls:
#     nist-800-53-r5: [CM-2, CM-6, CM-7]
#     pci-dss-4.0.1: [1.2.1, 2.2.1, 2.2.4, 2.2.6]
#     soc2: [CC7.1]
#     iso-27001-2022: [A.8.9]
#     hipaa: [164.312(c)(1)]
#     cisa-ztmm-2: ["NW: Automation and Orchestration"]
#   remediation: Set the labels; which, and with which values, is said by the parameter labels.
package zerotrust.tenancy.namespace_classified

deny contains v if {
	applies
	some key, values in input.params.labels
	not input.object.metadata.labels[key]
	v := {
		"msg": sprintf("nobody can tell which policies this Namespace needs: it has no label %s%s.", [key, allowed(values)]),
		"path": sprintf("metadata.labels[%s]", [key]),
	}
}

deny contains v if {
	applies
	some key, values in input.params.labels
	values != []
	value := input.object.metadata.labels[key]
	not value in values
	v := {
		"msg": sprintf("nobody can tell which policies this Namespace needs: its label %s is %q%s.", [key, value, allowed(values)]),
		"path": sprintf("metadata.labels[%s]", [key]),
	}
}

applies if {
	not input.object.metadata.name in input.params.exempt
	input.object.metadata.name != mesh.root_namespace()
}

allowed(values) := sprintf(", which is one of %s", [concat(", ", values)]) if values != []

allowed(values) := "" if values == []
