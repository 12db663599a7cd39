# METADATA
# title: Metrics that do not say who called
# description: |
#   source_principal and destination_principal are what tells calls with an identity from calls without, and one caller
#   from another. A metric without them cannot show that a caller appeared that should not.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/telemetry/#MetricsOverrides}]
# custom:
#   severity: medium
#   match: {kinds: [Telemetry.telemetry.istio.io]}
#   controls:
#     nist-800-53-r5: [AU-2, AU-3, AU-12, SI-4]
#     pci-dss-4.0.1: [10.2.1, 10.2.1.4, 10.2.2]
#     soc2: [CC7.2]
#     iso-27001-2022: [A.8.15, A.8.16]
#     hipaa: [164.312(b)]
#   remediation: Keep the tag. To have fewer series, drop one that names no identity.
package zerotrust.observability.identity_tags_kept

deny contains v if {
	some i, metric in input.object.spec.metrics
	some j, override in metric.overrides
	some tag in ["source_principal", "destination_principal", "connection_security_policy"]
	override.tagOverrides[tag].operation == "REMOVE"
	v := {
		"msg": sprintf("metrics do not tell who called whom, or how: tag %s is removed.", [tag]),
		"path": sprintf("spec.metrics[%d].overrides[%d].tagOverrides[%s]", [i, j, tag]),
	}
}
