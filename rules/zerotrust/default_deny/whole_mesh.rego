# METADATA
# title: A mesh that lets everybody in unless told otherwise
# description: |
#   Without an ALLOW for the whole mesh, a workload that no policy names lets in whoever reaches it. One ALLOW in
#   Istio's root namespace, without rules, makes a denial what happens when nobody has said anything. Policies at
#   waypoints are another layer: it does not hold there.
# related_resources: [{ref: https://istio.io/latest/docs/concepts/security/#implicit-enablement}]
# custom:
#   severity: critical
#   match: {kinds: [Namespace]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, SC-7(5)]
#     pci-dss-4.0.1: [1.3.1, 7.3.3]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.8.20, A.8.22]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-3, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: Keep an AuthorizationPolicy without selector, targetRefs and rules in Istio's root namespace.
package zerotrust.default_deny.whole_mesh

import data.zerotrust.lib.authz
import data.zerotrust.lib.waits

deny contains v if {
	input.object.metadata.name == mesh.root_namespace()
	count(defaults) == 0
	v := {
		"msg": sprintf("workloads of the whole mesh let in whoever reaches them, unless a policy names them: no AuthorizationPolicy in %s denies what none admits.", [mesh.root_namespace()]),
		"path": "metadata.name",
		"waitsFor": waits.another("AuthorizationPolicy", mesh.root_namespace()),
	}
}

defaults contains policy.metadata.name if {
	some policy in mesh.policies("AuthorizationPolicy", mesh.root_namespace())
	authz.unbound(policy)
	authz.closes(policy)
}
