# METADATA
# title: Keys from an address that anybody may name
# description: |
#   istiod fetches jwksUri from inside the cluster. An address of the host itself, of a private network or of a
#   cloud's metadata makes it ask what the author of the policy cannot reach. And whose keys are taken decides whose
#   tokens are: that is for the platform to say, in the parameter hosts.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/request_authentication/}]
# custom:
#   severity: high
#   match: {kinds: [RequestAuthentication.security.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       hosts: {type: array, items: {type: string}, default: [], description: "hosts from which keys may come, as in id.example.com or *.example.com; empty for any public one"}
#   controls:
#     nist-800-53-r5: [IA-2, IA-8, SC-7, SC-23]
#     pci-dss-4.0.1: [8.3.1]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.8.5]
#     hipaa: [164.312(d)]
#     cisa-ztmm-2: ["ID: Authentication"]
#     nist-800-204b: [EAUN-SR-1, EUAZ-SR-3]
#     nist-800-207a: [ID-SEG-REC-4]
#   remediation: Name a host that the platform has listed, by a name that everybody can resolve.
package zerotrust.jwt.keys_from_known_host

deny contains v if {
	some i, rule in input.object.spec.jwtRules
	host := host_of(rule.jwksUri)
	not listed(host)
	why := wrong(host)
	v := {
		"msg": sprintf("istiod takes keys from where it should ask nothing: host %s %s.", [host, why]),
		"path": sprintf("spec.jwtRules[%d].jwksUri", [i]),
	}
}

host_of(uri) := lower(found[0][1]) if {
	# survives constant: the pattern is anchored, so that it matches once at most.
	found := regex.find_all_string_submatch_n(`^[a-zA-Z]+://(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]+)`, uri, 1)
}

wrong(host) := "is not one of those that the platform lists" if {
	input.params.hosts != []
	not inside(host)
}

wrong(host) := "is an address of the host, of a private network or of a cloud's metadata" if inside(host)

inside(host) if host in {"localhost", "metadata.google.internal"}

inside(host) if startswith(host, "[")

inside(host) if {
	net.cidr_is_valid(concat("", [host, "/32"])) # else the comparison below would fail
	some network in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "0.0.0.0/8"]
	net.cidr_contains(network, host)
}

listed(host) if host in input.params.hosts

listed(host) if {
	some one in input.params.hosts
	startswith(one, "*.")
	endswith(host, substring(one, 1, -1))
}
