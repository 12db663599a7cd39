# METADATA
# title: Calls that are judged by another tenant's waypoint
# description: |
#   A waypoint sees every request to the Services bound to it, unencrypted, and whoever owns its namespace decides
#   what it does with them. A Service or a Namespace should ask for one of its own tenant, or of the platform. Whose a
#   namespace is, is said by a label; one without the label belongs to the platform.
# related_resources: [{ref: https://kubernetes.io/docs/concepts/security/multi-tenancy/}]
# custom:
#   severity: high
#   match: {kinds: [Service, ServiceEntry.networking.istio.io, Namespace]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       label: {type: string, default: tenant, description: "label of namespaces that names their tenant"}
#   controls:
#     nist-800-53-r5: [AC-4, AC-4(21), SC-7, SC-7(21)]
#     pci-dss-4.0.1: [1.3.1, 1.3.2, A1.1.1, A1.1.3]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.22]
#     cisa-ztmm-2: ["NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-3, SAUZ-SR-1]
#   remediation: Ask for a waypoint of the same tenant, or of a namespace that belongs to no tenant.
package zerotrust.tenancy.waypoint_of_own_tenant

deny contains v if {
	own := object.get(input.object.metadata, "namespace", input.object.metadata.name)
	waypoint := mesh.waypoint(input.object.kind, own, input.object.metadata.name)
	waypoint.askedBy == input.object.kind
	tenant := mesh.namespace(own).labels[input.params.label]
	other := mesh.namespace(waypoint.namespace).labels[input.params.label]
	other != tenant
	v := {
		"msg": sprintf("another tenant sees and judges the calls: waypoint %s/%s belongs to %s, and this to %s.", [waypoint.namespace, waypoint.name, other, tenant]),
		"path": "metadata.labels[istio.io/use-waypoint]",
	}
}
