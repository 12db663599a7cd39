# METADATA
# title: A public listener that asks nobody who they are
# description: |
#   At the edge of the mesh it is known for the last time who a caller from outside is: inside, calls carry the
#   gateway's identity. A listener without a client certificate, whose Gateway has no policy that goes by tokens
#   or asks another service, passes on whoever reaches it. One that is meant to be public is listed by a
#   parameter.
# related_resources: [{ref: https://istio.io/latest/docs/tasks/security/authorization/authz-ingress/}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       public: {type: array, items: {type: string}, default: [], description: "Gateways that are meant for everybody, as in edge/public"}
#   controls:
#     nist-800-53-r5: [IA-2, IA-8, SC-7, SC-7(3), SC-7(11), SC-23]
#     pci-dss-4.0.1: [1.2.5, 1.4.1, 1.4.2, 8.3.1]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.8.5, A.8.20, A.8.21]
#     hipaa: [164.312(d)]
#     cisa-ztmm-2: ["AW: Accessible Applications", "ID: Authentication", "NW: Network Traffic Management"]
#     nist-800-204b: [EAUN-SR-1, EUAZ-SR-3]
#     nist-800-207a: [ID-SEG-REC-4]
#   remediation: >-
#     Demand a token, by a RequestAuthentication and an AuthorizationPolicy at the Gateway, or a client
#     certificate, or list the Gateway in the parameter public.
package zerotrust.ingress.authenticates_callers

import data.zerotrust.lib.authz
import data.zerotrust.lib.gateways
import data.zerotrust.lib.waits

deny contains v if {
	gateways.ingress(input.object)
	not sprintf("%s/%s", [input.object.metadata.namespace, input.object.metadata.name]) in input.params.public
	some i, listener in input.object.spec.listeners
	listener.protocol in {"HTTP", "HTTPS"}
	not by_certificate(listener)
	not by_policy
	v := {
		"msg": sprintf("whoever reaches port %d is passed on unasked: listener %q demands no client certificate, and no policy at the Gateway goes by tokens.", [listener.port, listener.name]),
		"path": sprintf("spec.listeners[%d]", [i]),
		"waitsFor": waits.another("AuthorizationPolicy", input.object.metadata.namespace),
	}
}

by_certificate(listener) if {
	some port in input.object.spec.tls.frontend.perPort
	port.port == listener.port
	port.tls.validation
}

by_certificate(_) if input.object.spec.tls.frontend["default"].validation

# by_policy is whether the Gateway enforces a policy that goes by tokens.
by_policy if {
	some ns in {input.object.metadata.namespace, mesh.root_namespace()}
	some policy in mesh.policies("AuthorizationPolicy", ns)
	authz.by_tokens(policy)
	some e in mesh.effects("AuthorizationPolicy", ns, policy.metadata.name)
	e.enforcedBy == "gateway"
	not another(e.target)
}

# another is whether a policy is bound to a Gateway that is not this one.
another(target) if {
	target.kind == "Gateway"
	[target.namespace, target.name] != [input.object.metadata.namespace, input.object.metadata.name]
}
