# METADATA
# title: A namespace in which nobody judges policies
# description: |
#   A namespaceSelector leaves namespaces out of what a webhook is asked about. Policies in them are stored
#   unseen, and if Istio's root namespace is among them, so are those that hold for the whole mesh.
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
#       excluded: {type: array, items: {type: string}, default: [kube-system, kube-public, kube-node-lease], description: "namespaces that may be left out"}
#   controls:
#     nist-800-53-r5: [AC-5, AC-6(1), CM-2, CM-5, CM-5(1), CM-6, CM-7]
#     pci-dss-4.0.1: [1.2.1, 1.2.2, 1.2.8, 2.2.1, 2.2.4, 2.2.6, 6.5.1, 7.2.2]
#     soc2: [CC6.3, CC7.1, CC8.1]
#     iso-27001-2022: [A.5.3, A.8.2, A.8.9, A.8.32]
#     hipaa: [164.312(c)(1)]
#     cisa-ztmm-2: ["NW: Automation and Orchestration", "NW: Governance"]
#     nist-800-204b: [ISMC-SR-2]
#   remediation: >-
#     Take the namespaces from webhooks.excludedNamespaces of the chart, or list them in the parameter excluded.
package zerotrust.webhooks.covers_namespaces

deny contains v if {
	some i, hook in input.object.webhooks
	hook.name in input.params.webhooks
	left_out := all_namespaces - ({ns | some ns in mesh.namespaces_selected(object.get(hook, "namespaceSelector", {}))} | {ns | some ns in input.params.excluded})
	count(left_out) > 0
	v := {
		"msg": sprintf("nobody judges the policies of %s: webhook %s is not asked about them.", [concat(", ", [sprintf("Namespace %s", [ns]) | some ns in left_out]), hook.name]),
		"path": sprintf("webhooks[%d].namespaceSelector", [i]),
	}
}

all_namespaces := {ns | some ns in mesh.namespaces_selected({})}
