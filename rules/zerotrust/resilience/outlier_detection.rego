# METADATA
# title: Calls that go on to a workload that fails
# description: |
#   A traffic policy without outlier detection keeps on sending calls to endpoints that fail them. One broken, or taken
#   over, is then as good as a sound one until its probes notice.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/networking/destination-rule/#OutlierDetection}]
# custom:
#   severity: low
#   match: {kinds: [DestinationRule.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [SC-5, SC-7(18), SC-24, SI-17]
#     pci-dss-4.0.1: [10.7.2]
#     soc2: [A1.1, A1.2]
#     iso-27001-2022: [A.8.6, A.8.14]
#     cisa-ztmm-2: ["NW: Network Resilience"]
#   remediation: Add outlierDetection, with consecutive5xxErrors for what answers by HTTP.
package zerotrust.resilience.outlier_detection

deny contains v if {
	input.object.spec.trafficPolicy
	not detects
	v := {
		"msg": sprintf("calls to %s go on to endpoints that fail them: the policy has no outlier detection.", [input.object.spec.host]),
		"path": "spec.trafficPolicy.outlierDetection",
	}
}

detects if input.object.spec.trafficPolicy.outlierDetection

detects if {
	some port in input.object.spec.trafficPolicy.portLevelSettings
	port.outlierDetection
}
