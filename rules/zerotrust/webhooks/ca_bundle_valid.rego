# METADATA
# title: A webhook that the API server will not trust any more
# description: |
#   The API server calls a webhook only if a certificate of its caBundle has signed the one that answers. When the
#   last of them ends, every call fails: with failurePolicy Fail no policy can be stored, and with Ignore each is
#   stored unseen.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/}]
# custom:
#   severity: high
#   match: {kinds: [ValidatingWebhookConfiguration.admissionregistration.k8s.io, MutatingWebhookConfiguration.admissionregistration.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       webhooks: {type: array, items: {type: string}, default: ["*.waywarden.dev", "*istio.io"], description: "webhooks that keep the mesh"}
#       days: {type: integer, default: 7, description: "how many days before the end it is told"}
#   controls:
#     nist-800-53-r5: [IA-5(2), SC-5, SC-7(18), SC-12, SC-17, SC-23(5), SC-24, SI-17]
#     pci-dss-4.0.1: [4.2.1, 4.2.1.1, 12.3.3]
#     soc2: [A1.1, A1.2, CC6.1]
#     iso-27001-2022: [A.8.6, A.8.14, A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Network Resilience", "NW: Traffic Encryption"]
#     nist-800-204b: [ISMC-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#   remediation: See why whoever keeps the certificate has not renewed it.
package zerotrust.webhooks.ca_bundle_valid

import data.zerotrust.lib.certificates

deny contains v if {
	some i, hook in input.object.webhooks
	some pattern in input.params.webhooks
	glob.match(pattern, ["/"], hook.name)
	days := max([certificates.left(c, input.now) | some c in mesh.certificates(hook.clientConfig.caBundle)])
	days < input.params.days
	v := {
		"msg": sprintf("soon nobody is asked: the last certificate in the caBundle of webhook %s %s.", [hook.name, certificates.ends(days)]),
		"path": sprintf("webhooks[%d].clientConfig.caBundle", [i]),
	}
}
