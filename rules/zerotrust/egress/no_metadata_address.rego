# METADATA
# title: A name for what only the node may ask
# description: |
#   A ServiceEntry gives a name, and so ports and policies, to addresses. Those of the node itself and of a cloud's metadata
#   hand out credentials to whoever reaches them, and no host outside has them.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/networking/service-entry/}]
# custom:
#   severity: critical
#   match: {kinds: [ServiceEntry.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-4, SC-7, SC-7(5), SC-7(10)]
#     pci-dss-4.0.1: [1.2.5, 1.3.2]
#     soc2: [CC6.6, CC6.7]
#     iso-27001-2022: [A.8.20, A.8.22, A.8.23]
#     cisa-ztmm-2: ["NW: Network Traffic Management"]
#   remediation: Take the address out.
package zerotrust.egress.no_metadata_address

deny contains v if {
	some path, address in addresses
	range := range_of(address)
	net.cidr_is_valid(range)
	some network in ["127.0.0.0/8", "169.254.0.0/16"]
	net.cidr_intersects(network, range)
	v := {
		"msg": sprintf("calls are led to what hands out the node's credentials, or to the node itself: %s reaches into %s.", [address, network]),
		"path": path,
	}
}

deny contains v if {
	some path, address in addresses
	lower(address) in {"metadata.google.internal", "fd00:ec2::254", "fd00:ec2::254/128"}
	v := {
		"msg": sprintf("calls are led to what hands out the node's credentials: %s is a cloud's metadata.", [address]),
		"path": path,
	}
}

range_of(address) := address if contains(address, "/")

range_of(address) := concat("", [address, "/32"]) if not contains(address, "/")

addresses[sprintf("spec.hosts[%d]", [i])] := host if some i, host in input.object.spec.hosts

addresses[sprintf("spec.addresses[%d]", [i])] := address if some i, address in input.object.spec.addresses

addresses[sprintf("spec.endpoints[%d].address", [i])] := endpoint.address if some i, endpoint in input.object.spec.endpoints
