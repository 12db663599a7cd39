# METADATA
# title: A way out to almost anywhere
# description: |
#   A ServiceEntry whose host is only a wildcard, or a wildcard below a top-level domain, makes hosts part of the mesh that
#   nobody has looked at. A way out is for hosts that can be named.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/networking/service-entry/}]
# custom:
#   severity: high
#   match: {kinds: [ServiceEntry.networking.istio.io]}
#   controls:
#     nist-800-53-r5: [AC-4, SC-7, SC-7(5), SC-7(10)]
#     pci-dss-4.0.1: [1.2.5, 1.3.2]
#     soc2: [CC6.6, CC6.7]
#     iso-27001-2022: [A.8.20, A.8.22, A.8.23]
#     cisa-ztmm-2: ["NW: Network Traffic Management"]
#   remediation: Name the hosts, or at least the domain of one organisation, as in *.example.com.
package zerotrust.egress.no_broad_host

deny contains v if {
	some i, host in input.object.spec.hosts
	startswith(host, "*")
	count(split(host, ".")) < 3
	v := {
		"msg": sprintf("calls leave the mesh to hosts that nobody has named: host %q is almost anywhere.", [host]),
		"path": sprintf("spec.hosts[%d]", [i]),
	}
}
