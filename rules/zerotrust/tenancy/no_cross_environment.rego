# METADATA
# title: A caller from another environment
# description: |
#   What is being tested is not yet trusted, and is open to more people. If it may call what is in production, whoever
#   gets into the one gets to the other; the other way round, real data leaves for where it is guarded less. Which
#   environment a namespace is in is said by a label.
# related_resources: [{ref: https://kubernetes.io/docs/concepts/security/multi-tenancy/}]
# custom:
#   severity: high
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       label: {type: string, default: env, description: "label of namespaces that names their environment"}
#   controls:
#     nist-800-53-r5: [AC-4, AC-4(21), SC-7, SC-7(21)]
#     pci-dss-4.0.1: [1.3.1, 1.3.2, 6.5.3, A1.1.1, A1.1.3]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.22, A.8.31]
#     cisa-ztmm-2: ["NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-3, SAUZ-SR-1]
#   remediation: Take the caller out; give each environment its own.
package zerotrust.tenancy.no_cross_environment

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	own := input.namespace.labels[input.params.label]
	some caller in mesh.callers("AuthorizationPolicy", input.object.metadata.namespace, input.object.metadata.name)
	other := mesh.namespace(caller.namespace).labels[input.params.label]
	other != own
	v := {
		"msg": sprintf("%s gets in from another environment: its Namespace %s has %s=%s, and this one %s.", [caller.value, caller.namespace, input.params.label, other, own]),
		"path": caller.path,
	}
}
