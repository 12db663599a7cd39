# METADATA
# title: A container that can do more than its program needs
# description: |
#   A container that runs as root, or may gain privileges, gives whoever breaks into its program what it takes to
#   go on from there: to the pod's network, and to the node. That is one more step to a place where policies of
#   the mesh do not reach.
# related_resources: [{ref: https://kubernetes.io/docs/concepts/security/pod-security-standards/}]
# custom:
#   severity: medium
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
#     nist-800-204b: [AHLC-SR-1]
#   remediation: >-
#     Set runAsNonRoot to true and allowPrivilegeEscalation to false in securityContext, or list the workload in
#     the parameter allowed.
package zerotrust.workload.hardened

import data.zerotrust.lib.pods

deny contains v if {
	not pods.key(input.object) in input.params.allowed
	some w in pods.of(input.object)
	pods.captured(w)
	some path, c in pods.containers(input.object)
	why := weakness(c)
	v := {
		"msg": sprintf("whoever breaks into container %s can do more than its program: it %s.", [c.name, why]),
		"path": pods.field(input.object.kind, sprintf("%s.securityContext", [path])),
	}
}

weakness(c) := "may run as root, and gain privileges" if {
	not as_user(c)
	gains(c)
} else := "may run as root" if {
	not as_user(c)
} else := "may gain privileges" if {
	gains(c)
}

gains(c) if not c.securityContext.allowPrivilegeEscalation == false

# as_user is whether a container cannot run as root: by what it says itself, else by what its pod says.
as_user(c) if setting(c, "runAsNonRoot") == true

as_user(c) if setting(c, "runAsUser") > 0

setting(c, field) := c.securityContext[field]

setting(c, field) := pods.spec(input.object).securityContext[field] if not said(c, field)

said(c, field) if c.securityContext[field] == false

said(c, field) if c.securityContext[field]
