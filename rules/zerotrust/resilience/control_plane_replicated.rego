# METADATA
# title: A control plane of which there is only one
# description: |
#   While istiod is away, no workload that starts gets a certificate, and no policy that is written reaches a
#   proxy. While Waywarden is, admission either stores what nobody has judged or stores nothing. Both are
#   upgraded, and nodes go: with one pod that is an outage each time.
# related_resources: [{ref: https://istio.io/latest/docs/ops/best-practices/deployment/}]
# custom:
#   severity: medium
#   match: {kinds: [Deployment.apps], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       labels:
#         type: object
#         additionalProperties: {type: array, items: {type: string}}
#         default: {app: [istiod], app.kubernetes.io/name: [waywarden]}
#         description: "labels of what keeps the mesh"
#       replicas: {type: integer, default: 2, description: "how many there are at least"}
#   controls:
#     nist-800-53-r5: [SC-5, SC-7(18), SC-24, SI-17]
#     soc2: [A1.1, A1.2]
#     iso-27001-2022: [A.8.6, A.8.14]
#     cisa-ztmm-2: ["NW: Network Resilience"]
#   remediation: Run at least two pods, on different nodes, and give them a PodDisruptionBudget.
package zerotrust.resilience.control_plane_replicated

deny contains v if {
	some label, names in input.params.labels
	input.object.metadata.labels[label] in names
	input.object.spec.replicas < input.params.replicas
	v := {
		"msg": sprintf("every upgrade and every lost node takes it away, and what it decides: it has %d of at least %d pods.", [input.object.spec.replicas, input.params.replicas]),
		"path": "spec.replicas",
	}
}
