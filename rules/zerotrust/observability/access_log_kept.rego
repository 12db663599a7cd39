# METADATA
# title: A proxy that does not write down who called
# description: |
#   Who was let in and who was kept out is known afterwards from access logs. Where they are switched off, an attack leaves
#   no trace.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/telemetry/#AccessLogging}]
# custom:
#   severity: high
#   match: {kinds: [Telemetry.telemetry.istio.io]}
#   controls:
#     nist-800-53-r5: [AU-2, AU-3, AU-12, SI-4]
#     pci-dss-4.0.1: [10.2.1, 10.2.1.4, 10.2.2]
#     soc2: [CC7.2]
#     iso-27001-2022: [A.8.15, A.8.16]
#     hipaa: [164.312(b)]
#   remediation: Take disabled out.
package zerotrust.observability.access_log_kept

deny contains v if {
	some i, log in input.object.spec.accessLogging
	log.disabled == true
	v := {
		"msg": "nobody knows afterwards who called: access logs are switched off here.",
		"path": sprintf("spec.accessLogging[%d].disabled", [i]),
	}
}
