# METADATA
# title: A caller of another tenant that nobody agreed to
# description: |
#   An ALLOW for another tenant's workloads opens a door between the two. That the owner of the namespace means it is
#   said by an annotation of the Namespace, which those who write policies in it need not be able to change. Whose a
#   namespace is, is said by a label.
# related_resources: [{ref: https://kubernetes.io/docs/concepts/security/multi-tenancy/}]
# custom:
#   severity: medium
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       label: {type: string, default: tenant, description: "label of namespaces that names their tenant"}
#       annotation:
#         type: string
#         default: waywarden.dev/admits-callers-from
#         description: "annotation of the namespace that is called, with the names of namespaces that may"
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-4(21), AC-24, SC-7, SC-7(21)]
#     pci-dss-4.0.1: [1.3.1, 1.3.2, 7.2.5, 7.3.1, 7.3.2, A1.1.1, A1.1.3]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.8.3, A.8.22]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-1, APE-SR-3, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: >-
#     Have the owner list the caller's namespace in the annotation of this Namespace, or take the caller out.
package zerotrust.tenancy.cross_tenant_consent

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	own := input.namespace.labels[input.params.label]
	some caller in mesh.callers("AuthorizationPolicy", input.object.metadata.namespace, input.object.metadata.name)
	other := mesh.namespace(caller.namespace).labels[input.params.label]
	other != own
	not caller.namespace in agreed
	v := {
		"msg": sprintf("%s of another tenant gets in: its Namespace %s has %s=%s, and annotation %s of this one does not name it.", [caller.value, caller.namespace, input.params.label, other, input.params.annotation]),
		"path": caller.path,
	}
}

agreed contains trim_space(name) if some name in split(input.namespace.annotations[input.params.annotation], ",")
