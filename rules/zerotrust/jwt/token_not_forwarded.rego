# METADATA
# title: A token that is handed on
# description: |
#   With forwardOriginalToken the service that is called gets the user's token, and can be the user wherever that
#   token is valid. A service that only needs to know who calls can be told by outputClaimToHeaders or
#   outputPayloadToHeader.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/request_authentication/}]
# custom:
#   severity: medium
#   match: {kinds: [RequestAuthentication.security.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       namespaces: {type: array, items: {type: string}, default: [], description: "namespaces whose services may be handed tokens"}
#   controls:
#     nist-800-53-r5: [AC-3, AC-6]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management"]
#     nist-800-204b: [APE-SR-2, SAUZ-SR-1]
#   remediation: Take forwardOriginalToken out, or list the namespace in the parameter namespaces.
package zerotrust.jwt.token_not_forwarded

deny contains v if {
	not input.object.metadata.namespace in input.params.namespaces
	some i, rule in input.object.spec.jwtRules
	rule.forwardOriginalToken == true
	v := {
		"msg": "the service that is called can be the user elsewhere: it is handed the user's token.",
		"path": sprintf("spec.jwtRules[%d].forwardOriginalToken", [i]),
	}
}
