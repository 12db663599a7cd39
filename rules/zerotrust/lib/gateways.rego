# METADATA
# description: What rules about gateways share.
package zerotrust.lib.gateways

# ingress is whether a Gateway takes calls from outside, and not from the mesh or from other clusters of it.
ingress(gateway) if not gateway.spec.gatewayClassName in {"istio-waypoint", "istio-agentgateway", "istio-east-west", "istio-remote"}

# any_host is whether a host name, with or without the namespace that Istio lets one write before it, names all hosts.
any_host(host) if host in {"", "*"}

any_host(host) if endswith(host, "/*")
