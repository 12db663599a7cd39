# METADATA
# title: A certificate of another namespace
# description: |
#   A gateway that names a Secret of another namespace shows whoever calls a certificate that is not its own. The owner of
#   the Secret has to agree, by a ReferenceGrant that names it. One that names no Secret hands out all of the namespace.
# related_resources: [{ref: https://gateway-api.sigs.k8s.io/reference/spec/}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io]}
#   controls:
#     nist-800-53-r5: [SC-12, SC-17]
#     pci-dss-4.0.1: [4.2.1, 4.2.1.1]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#   remediation: Have the owner write a ReferenceGrant that names the Secret, or keep the certificate beside the gateway.
package zerotrust.ingress.certificate_granted

import data.zerotrust.lib.waits

deny contains v if {
	some i, listener in input.object.spec.listeners
	some j, ref in listener.tls.certificateRefs
	ref.namespace != input.object.metadata.namespace
	not granted(ref)
	v := {
		"msg": sprintf("listener %q shows the certificate of another namespace, or none: no ReferenceGrant in Namespace %s names Secret %s.", [listener.name, ref.namespace, ref.name]),
		"path": sprintf("spec.listeners[%d].tls.certificateRefs[%d]", [i, j]),
		"waitsFor": waits.another("ReferenceGrant", ref.namespace),
	}
}

granted(ref) if {
	some grant in mesh.policies("ReferenceGrant", ref.namespace)
	some from in grant.spec.from
	from.group == "gateway.networking.k8s.io"
	from.kind == "Gateway"
	from.namespace == input.object.metadata.namespace
	some to in grant.spec.to
	to.group == ""
	to.kind == "Secret"
	to.name == ref.name
}
