# METADATA
# title: A waypoint or gateway of which there is only one
# description: |
#   Calls to a Service that uses a waypoint pass it, or are not made. With one pod, every upgrade of it and every
#   node that goes takes those Services away for as long as it lasts, and somebody will be asked to take the
#   waypoint, and its policies, out of the way. Of a waypoint it is judged what istiod has made, in a cluster.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/waypoint/}]
# custom:
#   severity: medium
#   match: {kinds: [Deployment.apps], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       replicas: {type: integer, default: 2, description: "how many there are at least"}
#   controls:
#     nist-800-53-r5: [SC-5, SC-7(18), SC-24, SI-17]
#     soc2: [A1.1, A1.2]
#     iso-27001-2022: [A.8.6, A.8.14]
#     cisa-ztmm-2: ["NW: Network Resilience"]
#   remediation: >-
#     Give the Gateway a HorizontalPodAutoscaler or replicas by its parameters, and a PodDisruptionBudget.
package zerotrust.waypoints.replicated

deny contains v if {
	gateway := input.object.metadata.labels["gateway.networking.k8s.io/gateway-name"]
	input.object.spec.replicas < input.params.replicas
	v := {
		"msg": sprintf("every upgrade and every lost node takes away what is behind Gateway %s: it has %d of at least %d pods.", [gateway, input.object.spec.replicas, input.params.replicas]),
		"path": "spec.replicas",
	}
}
