# METADATA
# title: A certificate for another host
# description: |
#   A caller that looks refuses a certificate that does not name the host it has called, and one that does not
#   look can be led anywhere. So callers either cannot reach the listener, or have been taught not to look. Only
#   Secrets that may be read are judged.
# related_resources: [{ref: https://gateway-api.sigs.k8s.io/guides/tls/}]
# custom:
#   severity: medium
#   match: {kinds: [Gateway.gateway.networking.k8s.io], phases: [audit, scan]}
#   controls:
#     nist-800-53-r5: [IA-5(2), SC-7, SC-7(3), SC-7(11), SC-12, SC-17, SC-23(5)]
#     pci-dss-4.0.1: [1.2.5, 1.4.1, 1.4.2, 4.2.1, 4.2.1.1, 12.3.3]
#     soc2: [CC6.1, CC6.6]
#     iso-27001-2022: [A.8.20, A.8.21, A.8.24]
#     hipaa: [164.312(e)(1)]
#     cisa-ztmm-2: ["AW: Accessible Applications", "NW: Network Traffic Management", "NW: Traffic Encryption"]
#     nist-800-204b: [ISMC-SR-1]
#     nist-800-207a: [ID-SEG-REC-2]
#   remediation: Show a certificate that names the host of the listener.
package zerotrust.ingress.certificate_covers_host

deny contains v if {
	some i, listener in input.object.spec.listeners
	some j, ref in listener.tls.certificateRefs
	names := names_of(object.get(ref, "namespace", input.object.metadata.namespace), ref.name)
	not covered(listener.hostname, names)
	v := {
		"msg": sprintf("callers of %s refuse it, or do not look: the certificate in Secret %s is for %s.", [listener.hostname, ref.name, shown(names)]),
		"path": sprintf("spec.listeners[%d].tls.certificateRefs[%d]", [i, j]),
	}
}

# names_of are the names in the certificate that a gateway shows, which is the first.
names_of(ns, name) := names if {
	some secret in mesh.policies("Secret", ns)
	secret.metadata.name == name
	some key in ["tls.crt", "cert"]
	names := secret.certificates[key][0].dnsNames
}

shown(names) := concat(", ", names) if count(names) > 0

shown(names) := "no host" if count(names) == 0

covered(host, names) if host in names

covered(host, names) if {
	some name in names
	startswith(name, "*.")
	glob.match(name, ["."], host)
}
