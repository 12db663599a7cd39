# METADATA
# title: A workload that lets plaintext past ztunnel
# description: |
#   With annotation ambient.istio.io/bypass-inbound-capture only calls by mTLS pass the pod's ztunnel. Callers in
#   plaintext reach the pod directly, whatever STRICT and AuthorizationPolicies say, those of tomorrow too. It is
#   there for ingress controllers that are not Istio's.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/annotations/}]
# custom:
#   severity: high
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps, ReplicaSet.apps, Pod, Job.batch, CronJob.batch]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       ingressControllers: {type: array, items: {type: string}, default: [], description: "workloads that may take plaintext, as in edge/nginx"}
#   controls:
#     nist-800-53-r5: [SC-7, SC-7(3), SC-7(11), SC-8, SC-8(1), SC-13]
#     pci-dss-4.0.1: [1.2.5, 1.4.1, 1.4.2, 2.2.7, 4.2.1]
#     soc2: [CC6.1, CC6.6, CC6.7]
#     iso-27001-2022: [A.5.14, A.8.20, A.8.21, A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["AW: Accessible Applications", "NW: Network Traffic Management", "NW: Traffic Encryption"]
#     nist-800-204b: [SAUN-SR-1]
#     nist-800-207a: [ID-SEG-REC-1]
#   remediation: Remove the annotation, or list the workload in the parameter ingressControllers.
package zerotrust.mtls.no_capture_bypass

import data.zerotrust.lib.pods

deny contains v if {
	some w in pods.of(input.object)
	w.mode == "ambient"
	pods.bypassed(w)
	not pods.key(input.object) in input.params.ingressControllers
	v := {
		"msg": "whoever calls in plaintext gets in: annotation ambient.istio.io/bypass-inbound-capture leads such calls past ztunnel, where STRICT and policies are.",
		"path": pods.field(input.object.kind, "metadata.annotations[ambient.istio.io/bypass-inbound-capture]"),
	}
}
