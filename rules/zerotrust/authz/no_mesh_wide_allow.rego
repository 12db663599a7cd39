# METADATA
# title: A caller that gets in everywhere
# description: |
#   ALLOWs add up. One in Istio's root namespace, without a selector, admits its callers to every workload of the
#   mesh, and nothing narrower takes that back but a DENY. It may be right for what scrapes metrics, and for little
#   else.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/authorization-policy/}]
# custom:
#   severity: high
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       callers: {type: array, items: {type: string}, default: [], description: "principals, serviceAccounts and namespaces that may, as the policy writes them"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-4(21), AC-6, SC-7, SC-7(21)]
#     pci-dss-4.0.1: [1.3.1, 1.3.2, 7.2.2, 7.2.5, A1.1.1, A1.1.3]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3, A.8.22]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management", "NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-2, APE-SR-3, SAUZ-SR-1]
#   remediation: Write the ALLOW in the namespaces that the caller needs, or list it in the parameter callers.
package zerotrust.authz.no_mesh_wide_allow

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	input.object.metadata.namespace == mesh.root_namespace()
	not input.object.spec.selector
	not input.object.spec.targetRef
	not input.object.spec.targetRefs
	some caller in mesh.callers("AuthorizationPolicy", input.object.metadata.namespace, input.object.metadata.name)
	not caller.value in input.params.callers
	v := {
		"msg": sprintf("%q gets in at every workload of the mesh: this ALLOW of the root namespace selects nothing.", [caller.value]),
		"path": caller.path,
	}
}
