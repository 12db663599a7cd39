# METADATA
# title: A namespace that the network leaves open
# description: |
#   Policies of the mesh are enforced by ztunnel and by waypoints. Where one of them is not in the way, because a
#   pod was never captured or a rule of the network was changed, the network itself is what is left: a
#   NetworkPolicy that denies ingress to all pods of the Namespace, and others that admit HBONE (15008) and the
#   kubelet's probes. Where the network plugin has policies of its own kinds, those are not seen: exempt the
#   Namespaces.
# related_resources: [{ref: https://kubernetes.io/docs/concepts/services-networking/network-policies/}]
# custom:
#   severity: low
#   match: {kinds: [Namespace], phases: [audit, scan]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, SC-7(5)]
#     pci-dss-4.0.1: [1.3.1, 7.3.3]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.8.20, A.8.22]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-3, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#     cis-kubernetes-2.0.1: [5.3.2]
#   remediation: >-
#     Write a NetworkPolicy with an empty podSelector and policyTypes [Ingress], and others that admit HBONE
#     (15008) and probes from 169.254.7.127.
package zerotrust.default_deny.network

import data.zerotrust.lib.network
import data.zerotrust.lib.pods
import data.zerotrust.lib.waits

deny contains v if {
	pods.plain(input.object.metadata.name).mode == "ambient"
	not network.closed(input.object.metadata.name, "Ingress")
	v := {
		"msg": "what reaches a pod here past ztunnel meets nothing: no NetworkPolicy denies ingress to all pods.",
		"path": "metadata.name",
		"waitsFor": waits.another("NetworkPolicy", input.object.metadata.name),
	}
}
