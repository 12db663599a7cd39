# METADATA
# title: A ztunnel that makes room for others
# description: |
#   A node that runs short of memory or room evicts pods by their priority. Where ztunnel goes, no call from or to
#   a pod of the node is made; where istio-cni goes, pods that start there are not captured, or do not start.
#   Istio's charts give both the priority of what a node cannot do without.
# related_resources: [{ref: https://kubernetes.io/docs/tasks/administer-cluster/guaranteed-scheduling-critical-addon-pods/}]
# custom:
#   severity: high
#   match: {kinds: [DaemonSet.apps]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       names: {type: array, items: {type: string}, default: [ztunnel, istio-cni-node], description: "DaemonSets of the data plane"}
#       priorities: {type: array, items: {type: string}, default: [system-node-critical], description: "priority classes that will do"}
#   controls:
#     nist-800-53-r5: [SC-5, SC-7(18), SC-24, SI-17]
#     soc2: [A1.1, A1.2]
#     iso-27001-2022: [A.8.6, A.8.14]
#     cisa-ztmm-2: ["NW: Network Resilience"]
#   remediation: Set priorityClassName to system-node-critical.
package zerotrust.resilience.data_plane_protected

deny contains v if {
	input.object.metadata.name in input.params.names
	priority := object.get(input.object, ["spec", "template", "spec", "priorityClassName"], "none")
	not priority in input.params.priorities
	v := {
		"msg": sprintf("a node that runs short evicts it, and with it all calls of the node: its priority class is %s.", [priority]),
		"path": "spec.template.spec.priorityClassName",
	}
}
