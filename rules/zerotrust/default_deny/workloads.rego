# METADATA
# title: A workload that lets everybody in
# description: |
#   What captures a workload denies nothing before at least one ALLOW is in force for it. A policy counts where it is
#   really enforced: not a dry run, not one that only a waypoint reads, and not beside one that admits everybody.
# related_resources: [{ref: https://istio.io/latest/docs/concepts/security/#implicit-enablement}]
# custom:
#   severity: critical
#   match: {kinds: [Deployment.apps, StatefulSet.apps, DaemonSet.apps, ReplicaSet.apps, Pod]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-24, SC-7(5)]
#     pci-dss-4.0.1: [1.3.1, 7.2.5, 7.3.1, 7.3.2, 7.3.3]
#     soc2: [CC6.1, CC6.3, CC6.6]
#     iso-27001-2022: [A.5.15, A.8.3, A.8.20, A.8.22]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-1, APE-SR-3, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: Write an ALLOW for the callers of the workload, or a default deny for its namespace.
package zerotrust.default_deny.workloads

import data.zerotrust.lib.authz
import data.zerotrust.lib.waits

deny contains v if {
	some layer in authz.layers(input.object)
	not layer.closed
	v := {
		"msg": sprintf("whoever reaches it gets in: no policy there (%s) denies what none admits.", [layer.enforcedBy]),
		"path": "metadata.name",
		"waitsFor": waits.another("AuthorizationPolicy", input.object.metadata.namespace),
	}
}
