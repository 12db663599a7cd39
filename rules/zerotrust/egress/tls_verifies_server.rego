# METADATA
# title: TLS to whoever answers
# description: |
#   With insecureSkipVerify the certificate of the other side is not looked at. Whoever is on the way, or answers for the
#   name, reads and changes what is sent.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/networking/destination-rule/#ClientTLSSettings}]
# custom:
#   severity: critical
#   match: {kinds: [DestinationRule.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [SC-12, SC-17]
#     pci-dss-4.0.1: [4.2.1, 4.2.1.1]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#   remediation: Take insecureSkipVerify out, and give the certificate of a private authority as caCertificates or credentialName.
package zerotrust.egress.tls_verifies_server

deny contains v if {
	some path, policy in places
	policy.tls.insecureSkipVerify == true
	v := {
		"msg": sprintf("whoever answers for %s reads what is sent there: its certificate is not verified.", [input.object.spec.host]),
		"path": sprintf("%s.tls.insecureSkipVerify", [path]),
	}
}

places["spec.trafficPolicy"] := input.object.spec.trafficPolicy

places[sprintf("spec.trafficPolicy.portLevelSettings[%d]", [i])] := port if some i, port in input.object.spec.trafficPolicy.portLevelSettings

places[sprintf("spec.subsets[%d].trafficPolicy", [i])] := subset.trafficPolicy if some i, subset in input.object.spec.subsets

places[sprintf("spec.subsets[%d].trafficPolicy.portLevelSettings[%d]", [i, j])] := port if {
	some i, subset in input.object.spec.subsets
	some j, port in subset.trafficPolicy.portLevelSettings
}
