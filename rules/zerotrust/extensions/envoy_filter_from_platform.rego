# METADATA
# title: A proxy that is changed from inside
# description: |
#   An EnvoyFilter can take out of a proxy whatever istiod put in: mTLS, authorization, the log. No check can tell what one
#   does. So it is for those who look after the mesh, and lies in Istio's root namespace, or in one that they list.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/networking/envoy-filter/}]
# custom:
#   severity: high
#   match: {kinds: [EnvoyFilter.networking.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       namespaces: {type: array, items: {type: string}, default: [], description: "further namespaces of those who look after the mesh"}
#   controls:
#     nist-800-53-r5: [CM-2, CM-5, CM-5(1), CM-6, CM-7]
#     pci-dss-4.0.1: [1.2.1, 1.2.2, 2.2.1, 6.5.1]
#     soc2: [CC7.1, CC8.1]
#     iso-27001-2022: [A.8.9, A.8.32]
#     hipaa: [164.312(c)(1)]
#     cisa-ztmm-2: ["NW: Governance"]
#   remediation: Say it by an API of Istio's, or have the platform write it.
package zerotrust.extensions.envoy_filter_from_platform

deny contains v if {
	input.object.metadata.namespace != mesh.root_namespace()
	not input.object.metadata.namespace in input.params.namespaces
	v := {
		"msg": sprintf("whoever writes in Namespace %s can take mTLS, authorization and logs out of its proxies: this is an EnvoyFilter.", [input.object.metadata.namespace]),
		"path": "metadata.namespace",
	}
}
