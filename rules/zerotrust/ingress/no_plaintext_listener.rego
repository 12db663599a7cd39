# METADATA
# title: A gateway that takes plaintext from outside
# description: |
#   An HTTP listener of an ingress Gateway takes requests that anybody on the way can read and change. It may be there to
#   send browsers to HTTPS, and for nothing else.
# related_resources: [{ref: https://gateway-api.sigs.k8s.io/guides/http-redirect-rewrite/}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       plaintextPorts: {type: array, items: {type: integer}, default: [], description: "ports on which plaintext is accepted"}
#   controls:
#     nist-800-53-r5: [SC-7, SC-8, SC-8(1)]
#     pci-dss-4.0.1: [1.4.1, 1.4.2, 4.2.1]
#     soc2: [CC6.6, CC6.7]
#     iso-27001-2022: [A.8.20, A.8.21]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["NW: Traffic Encryption"]
#   remediation: Make the listener HTTPS, or let every HTTPRoute on it redirect to https.
package zerotrust.ingress.no_plaintext_listener

deny contains v if {
	not input.object.spec.gatewayClassName in {"istio-waypoint", "istio-agentgateway", "istio-east-west", "istio-remote"}
	some i, listener in input.object.spec.listeners
	listener.protocol == "HTTP"
	not listener.port in input.params.plaintextPorts
	not redirects(listener)
	v := {
		"msg": sprintf("what comes in on port %d can be read on the way: listener %q takes HTTP and does more than redirect.", [listener.port, listener.name]),
		"path": sprintf("spec.listeners[%d].protocol", [i]),
	}
}

# redirects is whether there are routes on a listener and all of them redirect.
redirects(listener) if {
	count(attached(listener)) > 0
	every route in attached(listener) {
		every rule in route.spec.rules {
			some filter in rule.filters
			filter.requestRedirect.scheme == "https"
		}
	}
}

attached(listener) := {route |
	some ns in mesh.namespaces()
	some route in mesh.policies("HTTPRoute", ns)
	some parent in route.spec.parentRefs
	parent.name == input.object.metadata.name
	object.get(parent, "namespace", ns) == input.object.metadata.namespace
	object.get(parent, "sectionName", listener.name) == listener.name
}
