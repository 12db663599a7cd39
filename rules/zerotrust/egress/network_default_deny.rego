# METADATA
# title: A workload that was taken over can call whom it likes
# description: |
#   What a workload calls outside of the mesh ztunnel passes on untouched: outboundTrafficPolicy is for proxies in
#   the pod, and a waypoint is passed by whom it is told to. So what keeps a workload from calling anywhere is the
#   network: a NetworkPolicy that denies egress to all pods of the Namespace, and others that admit what is
#   needed. Where the network plugin has policies of its own kinds, those are not seen: exempt the Namespaces.
# related_resources: [{ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/}]
# custom:
#   severity: medium
#   match: {kinds: [Namespace], phases: [audit, scan]}
#   controls:
#     nist-800-53-r5: [AC-4, SC-7, SC-7(5), SC-7(10)]
#     pci-dss-4.0.1: [1.2.5, 1.3.2]
#     soc2: [CC6.6, CC6.7]
#     iso-27001-2022: [A.8.20, A.8.22, A.8.23]
#     cisa-ztmm-2: ["NW: Network Traffic Management"]
#     cis-kubernetes-2.0.1: [5.3.2]
#   remediation: >-
#     Write a NetworkPolicy with an empty podSelector and policyTypes [Egress], and others that admit DNS, HBONE
#     (15008) and what is needed.
package zerotrust.egress.network_default_deny

import data.zerotrust.lib.network
import data.zerotrust.lib.pods
import data.zerotrust.lib.waits

deny contains v if {
	pods.plain(input.object.metadata.name).mode == "ambient"
	not network.closed(input.object.metadata.name, "Egress")
	v := {
		"msg": "a workload here that was taken over can call whom it likes: no NetworkPolicy denies egress to all pods.",
		"path": "metadata.name",
		"waitsFor": waits.another("NetworkPolicy", input.object.metadata.name),
	}
}
