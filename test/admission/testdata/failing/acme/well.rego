# METADATA
# title: A policy has a spec
# custom:
#   severity: high
#   remediation: Give the policy a spec.
#   match:
#     kinds: [AuthorizationPolicy.security.istio.io]
package acme.well

deny contains {"msg": "it has no spec"} if not input.object.spec
