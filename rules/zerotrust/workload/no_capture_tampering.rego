# METADATA
# title: A workload that can undo its own capture
# description: |
#   istio-cni leads a pod's calls to ztunnel by rules in the pod's own network namespace. A container with NET_ADMIN, or a
#   privileged one, can take them out: then its calls carry no identity, and calls to it meet no policy.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/architecture/traffic-redirection/}]
# custom:
#   severity: critical
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps, ReplicaSet.apps, Pod, Job.batch, CronJob.batch]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [], description: "workloads that may, as in shop/probe"}
#   controls:
#     nist-800-53-r5: [AC-6, CM-7, SC-39]
#     pci-dss-4.0.1: [2.2.4, 2.2.6]
#     soc2: [CC6.8]
#     iso-27001-2022: [A.8.9]
#   remediation: Drop the capability and privileged, or list the workload in the parameter allowed.
package zerotrust.workload.no_capture_tampering

import data.zerotrust.lib.pods

deny contains v if {
	some power in powers
	some w in pods.of(input.object)
	w.mode == "ambient"
	not pods.key(input.object) in input.params.allowed
	v := {
		"msg": sprintf("container %s can take itself out of the mesh: it %s.", [power.container, power.what]),
		"path": pods.field(input.object.kind, power.path),
	}
}

powers contains {"container": c.name, "what": "is privileged", "path": sprintf("%s.securityContext.privileged", [path])} if {
	some path, c in pods.containers(input.object)
	c.securityContext.privileged == true
}

powers contains {"container": c.name, "what": sprintf("has capability %s", [capability]), "path": sprintf("%s.securityContext.capabilities.add", [path])} if {
	some path, c in pods.containers(input.object)
	some capability in c.securityContext.capabilities.add
	capability in {"ALL", "NET_ADMIN", "SYS_ADMIN"}
}
