# METADATA
# description: What rules about waypoints share.
package zerotrust.lib.waypoints

# of is the waypoint of a Service, or what keeps it from having one.
of(object) := mesh.waypoint(object.kind, object.metadata.namespace, object.metadata.name)

# of_namespace is the waypoint that a Namespace asks for.
of_namespace(name) := mesh.waypoint("Namespace", "", name)

# is_waypoint is whether a Gateway is one.
is_waypoint(gateway) if gateway.spec.gatewayClassName in {"istio-waypoint", "istio-agentgateway"}

# account is the service account that istiod runs a Gateway's pods as.
account(gateway) := gateway.metadata.annotations["networking.istio.io/service-account"]

account(gateway) := gateway.metadata.name if {
	not gateway.metadata.annotations["networking.istio.io/service-account"]
	is_waypoint(gateway)
}

account(gateway) := concat("-", [gateway.metadata.name, gateway.spec.gatewayClassName]) if {
	not gateway.metadata.annotations["networking.istio.io/service-account"]
	not is_waypoint(gateway)
}
