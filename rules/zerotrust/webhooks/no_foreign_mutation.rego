# METADATA
# title: Somebody changes policies on their way
# description: |
#   A mutating webhook changes objects before they are stored: what a reviewer has agreed to is not what is
#   stored, and whoever answers the webhook decides what is let in. Who may is listed by a parameter.
# related_resources: [{ref: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/}]
# custom:
#   severity: medium
#   match: {kinds: [MutatingWebhookConfiguration.admissionregistration.k8s.io], phases: [audit, scan]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       allowed: {type: array, items: {type: string}, default: [istio*, waywarden*], description: "names of configurations that may"}
#       groups: {type: array, items: {type: string}, default: [security.istio.io, "*"], description: "API groups that hold policies"}
#       resources:
#         type: array
#         items: {type: string}
#         default: [authorizationpolicies, peerauthentications, requestauthentications, "*", "*/*"]
#         description: "resources that are policies, and what stands for all"
#   controls:
#     nist-800-53-r5: [AC-5, AC-6(1), CM-2, CM-5, CM-5(1), CM-6, CM-7]
#     pci-dss-4.0.1: [1.2.1, 1.2.2, 1.2.8, 2.2.1, 2.2.4, 2.2.6, 6.5.1, 7.2.2]
#     soc2: [CC6.3, CC7.1, CC8.1]
#     iso-27001-2022: [A.5.3, A.8.2, A.8.9, A.8.32]
#     hipaa: [164.312(c)(1)]
#     cisa-ztmm-2: ["NW: Automation and Orchestration", "NW: Governance"]
#     nist-800-204b: [ISMC-SR-2]
#   remediation: >-
#     Take policies of the mesh out of its rules, or list the configuration in the parameter allowed.
package zerotrust.webhooks.no_foreign_mutation

deny contains v if {
	not allowed
	some i, hook in input.object.webhooks
	some rule in hook.rules
	some group in rule.apiGroups
	group in input.params.groups
	some resource in rule.resources
	resource in input.params.resources
	v := {
		"msg": sprintf("what is stored is not what was written: webhook %s may change %s of API group %q.", [hook.name, resource, group]),
		"path": sprintf("webhooks[%d].rules", [i]),
	}
}

allowed if {
	some pattern in input.params.allowed
	glob.match(pattern, [], input.object.metadata.name)
}
