# METADATA
# title: A caller that is told not to use mTLS
# description: |
#   A DestinationRule with tls.mode DISABLE or SIMPLE makes sidecars and gateways call a workload of the mesh in
#   plaintext, or with a certificate of nobody in the mesh. ztunnels do not read it, so enrolled callers are not
#   affected; those with a sidecar, and what comes in by a gateway, are.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/networking/destination-rule/#ClientTLSSettings-TLSmode}]
# custom:
#   severity: high
#   match: {kinds: [DestinationRule.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [SC-8, SC-8(1), SC-13]
#     pci-dss-4.0.1: [2.2.7, 4.2.1]
#     soc2: [CC6.1, CC6.7]
#     iso-27001-2022: [A.5.14, A.8.20, A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#     nist-800-204b: [SAUN-SR-1]
#     nist-800-207a: [ID-SEG-REC-1]
#   remediation: Say ISTIO_MUTUAL, or leave tls out, so that Istio finds out what the workload takes.
package zerotrust.mtls.no_client_downgrade

import data.zerotrust.lib.pods

deny contains v if {
	some place in places
	place.mode in {"DISABLE", "SIMPLE"}
	some e in input.effects
	e.enforcedBy in {"sidecar", "gateway"}
	e.target.kind == "Service"
	in_mesh(e.target)
	v := {
		"msg": sprintf("calls from a %s to Service %s/%s are not by mTLS: tls.mode is %s.", [e.enforcedBy, e.target.namespace, e.target.name, place.mode]),
		"path": place.path,
		"verdict": e.verdict,
	}
}

in_mesh(service) if {
	some w in mesh.workloads_of("Service", service.namespace, service.name)
	pods.captured(w)
}

places contains place("spec.trafficPolicy", input.object.spec.trafficPolicy)

places contains place(sprintf("spec.trafficPolicy.portLevelSettings[%d]", [i]), port) if some i, port in input.object.spec.trafficPolicy.portLevelSettings

places contains place(sprintf("spec.subsets[%d].trafficPolicy", [i]), subset.trafficPolicy) if some i, subset in input.object.spec.subsets

place(path, policy) := {"path": sprintf("%s.tls.mode", [path]), "mode": policy.tls.mode}
