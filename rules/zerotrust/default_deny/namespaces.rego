# METADATA
# title: A namespace whose new pods let everybody in
# description: |
#   A pod that is made tomorrow, with labels that no policy selects, is under the policies of its namespace and of the
#   mesh alone. Where none of these denies what no policy admits, it lets in whoever reaches it.
# related_resources: [{ref: https://istio.io/latest/docs/concepts/security/#implicit-enablement}]
# custom:
#   severity: high
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
#   remediation: >-
#     Keep an AuthorizationPolicy without selector, targetRefs and rules in the Namespace, or in Istio's root
#     namespace.
package zerotrust.default_deny.namespaces

import data.zerotrust.lib.authz
import data.zerotrust.lib.waits

deny contains v if {
	some layer in authz.layers_of_namespace(input.object.metadata.name)
	not layer.closed
	v := {
		"msg": sprintf("a new pod here lets in whoever reaches it: no policy there (%s) for the Namespace or the mesh denies what none admits.", [layer.enforcedBy]),
		"path": "metadata.name",
		"waitsFor": waits.another("AuthorizationPolicy", input.object.metadata.name),
	}
}
