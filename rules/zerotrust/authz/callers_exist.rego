# METADATA
# title: A policy for a caller that is not there
# description: |
#   A grant to a service account that does not exist is for whoever makes one of that name. It is left over from
#   something that was removed, or misspelt, and then the caller that is meant is denied. Service accounts are looked
#   for where the input shows those of the namespace; istiod makes those of its Gateways.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/authorization-policy/}]
# custom:
#   severity: medium
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-2, AC-3, AC-6]
#     pci-dss-4.0.1: [7.2.2, 7.2.5]
#     soc2: [CC6.3]
#     iso-27001-2022: [A.5.15, A.8.2, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["ID: Access Management"]
#     nist-800-204b: [APE-SR-2, SAUZ-SR-1]
#   remediation: Take the caller out, or correct its name.
package zerotrust.authz.callers_exist

import data.zerotrust.lib.waits

deny contains v if {
	object.get(input.object.spec, "action", "ALLOW") == "ALLOW"
	some caller in mesh.callers("AuthorizationPolicy", input.object.metadata.namespace, input.object.metadata.name)
	caller.account != "default"
	caller.trustDomain == mesh.trust_domain()
	mesh.namespace(caller.namespace)
	accounts := mesh.policies("ServiceAccount", caller.namespace)
	count(accounts) > 0
	not caller.account in {account.metadata.name | some account in accounts}
	count(mesh.workloads_as(caller.namespace, caller.account)) == 0
	not of_gateway(caller)
	v := {
		"msg": sprintf("whoever makes service account %s/%s gets in: it is let in, and does not exist.", [caller.namespace, caller.account]),
		"path": caller.path,
		"waitsFor": waits.another("ServiceAccount", caller.namespace),
	}
}

# of_gateway is whether istiod makes the service account, of a waypoint or a gateway.
of_gateway(caller) if {
	some gateway in mesh.policies("Gateway", caller.namespace)
	made := object.get(gateway, ["metadata", "annotations", "networking.istio.io/service-account"], gateway.metadata.name)
	caller.account in {made, concat("-", [gateway.metadata.name, gateway.spec.gatewayClassName])}
}
