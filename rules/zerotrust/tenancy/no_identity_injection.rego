# METADATA
# title: A machine with the identity or the address of something else
# description: |
#   A WorkloadEntry says of an address that it is a workload of the namespace, with a service account and with labels
#   by which Services send to it. If pods run as that service account too, a machine that somebody else looks after is
#   what they are. If the address is the cluster's own, or a node's own, calls are led to where nobody means them to
#   go.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/networking/workload-entry/}]
# custom:
#   severity: high
#   match: {kinds: [WorkloadEntry.networking.istio.io, WorkloadGroup.networking.istio.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       networks: {type: array, items: {type: string}, default: [], description: "networks of pods and Services, as in 10.96.0.0/12, in which no machine can be"}
#   controls:
#     nist-800-53-r5: [AC-4, AC-4(21), IA-3, IA-3(1), IA-9, SC-7, SC-7(21), SC-23]
#     pci-dss-4.0.1: [1.3.1, 1.3.2, 7.2.5, A1.1.1, A1.1.3]
#     soc2: [CC6.1]
#     iso-27001-2022: [A.5.16, A.8.5, A.8.22]
#     hipaa: [164.312(d)]
#     cisa-ztmm-2: ["ID: Authentication", "NW: Network Segmentation"]
#     nist-800-204b: [APE-SR-3, SAUN-SR-1, SAUN-SR-2, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#   remediation: Give the machine a service account of its own, and its own address.
package zerotrust.tenancy.no_identity_injection

deny contains v if {
	account := accounts[path]
	some w in mesh.workloads_as(input.object.metadata.namespace, account)
	not w.kind in {"WorkloadEntry", "ServiceEntry"}
	v := {
		"msg": sprintf("a machine outside the cluster is let in wherever %s %s is: both run as service account %s.", [w.kind, w.name, account]),
		"path": path,
	}
}

deny contains v if {
	net.cidr_is_valid(concat("", [input.object.spec.address, "/32"])) # else the comparison below would fail
	some network in array.concat(["127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8"], input.params.networks)
	net.cidr_contains(network, input.object.spec.address)
	v := {
		"msg": sprintf("calls are led to where no machine of the mesh is: address %s is in %s.", [input.object.spec.address, network]),
		"path": "spec.address",
	}
}

accounts["spec.serviceAccount"] := input.object.spec.serviceAccount

accounts["spec.template.serviceAccount"] := input.object.spec.template.serviceAccount
