# METADATA
# title: Admission that lets everything through when nobody answers
# description: |
#   With failurePolicy Ignore the API server stores what nobody has judged, as soon as the webhook does not
#   answer; whoever can stop its pods can store what they like. Waywarden and istiod begin with Ignore, and set
#   Fail when they have seen that they are called: so what a file says is not judged, and what is stored in a
#   cluster is.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/}]
# custom:
#   severity: high
#   match: {kinds: [ValidatingWebhookConfiguration.admissionregistration.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       webhooks:
#         type: array
#         items: {type: string}
#         default: [policies.waywarden.dev, rev.validation.istio.io, validation.istio.io]
#         description: "webhooks that keep the mesh"
#   controls:
#     nist-800-53-r5: [AC-5, AC-6(1), CM-5, CM-5(1), SC-5, SC-7(18), SC-24, SI-17]
#     pci-dss-4.0.1: [1.2.2, 1.2.8, 6.5.1, 7.2.2]
#     soc2: [A1.1, A1.2, CC6.3, CC8.1]
#     iso-27001-2022: [A.5.3, A.8.2, A.8.6, A.8.14, A.8.32]
#     cisa-ztmm-2: ["NW: Governance", "NW: Network Resilience"]
#     nist-800-204b: [ISMC-SR-2]
#   remediation: >-
#     See why failurePolicy was not raised, or leave it at its default, managed, in the values of the chart.
package zerotrust.webhooks.fails_closed

deny contains v if {
	some i, hook in input.object.webhooks
	hook.name in input.params.webhooks
	hook.failurePolicy == "Ignore"
	v := {
		"msg": sprintf("while nobody answers, policies are stored that nobody has judged: failurePolicy of webhook %s is Ignore.", [hook.name]),
		"path": sprintf("webhooks[%d].failurePolicy", [i]),
	}
}

skip contains "it is not stored in a cluster: whoever is called raises failurePolicy when it is" if {
	not input.object.metadata.uid
	some hook in input.object.webhooks
	hook.name in input.params.webhooks
}
