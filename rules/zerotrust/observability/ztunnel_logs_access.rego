# METADATA
# title: A ztunnel that does not write down who called
# description: |
#   In ambient mode ztunnel writes one line for each connection, with the identities of both ends. What it writes is told by
#   RUST_LOG: at level warn or above, or with access=off, nobody knows afterwards which workload called which.
# related_resources: [{ref: https://istio.io/latest/docs/ambient/usage/troubleshoot-ztunnel/}]
# custom:
#   severity: high
#   match: {kinds: [DaemonSet.apps]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       names: {type: array, items: {type: string}, default: [ztunnel], description: "names of the DaemonSets that are ztunnel"}
#   controls:
#     nist-800-53-r5: [AU-2, AU-3, AU-12, SI-4]
#     pci-dss-4.0.1: [10.2.1, 10.2.1.4, 10.2.2]
#     soc2: [CC7.2]
#     iso-27001-2022: [A.8.15, A.8.16]
#     hipaa: [164.312(b)]
#   remediation: Set RUST_LOG to info, or take access=off out of it.
package zerotrust.observability.ztunnel_logs_access

deny contains v if {
	input.object.metadata.name in input.params.names
	some i, container in input.object.spec.template.spec.containers
	some j, variable in container.env
	variable.name == "RUST_LOG"
	directives := split(variable.value, ",")
	level(directives) in {"off", "error", "warn"}
	v := {
		"msg": sprintf("nobody knows afterwards which workload called which: with RUST_LOG %q ztunnel writes no line for a connection.", [variable.value]),
		"path": sprintf("spec.template.spec.containers[%d].env[%d]", [i, j]),
	}
}

# level is that of access logs: what is said of them alone, else what is said of everything.
level(directives) := of_access(directives)[0]

level(directives) := general[0] if {
	count(of_access(directives)) == 0
	general := [lower(one) | some one in directives; not contains(one, "=")]
}

of_access(directives) := [lower(trim_prefix(one, "access=")) |
	some one in directives
	startswith(one, "access=")
]
