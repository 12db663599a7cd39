# METADATA
# description: What rules about certificates share.
package zerotrust.lib.certificates

# left is for how many whole days more a certificate is valid at a time; -1 where it is not any more.
left(certificate, now) := floor(until(certificate, now) / 86400000000000) if until(certificate, now) >= 0

left(certificate, now) := -1 if until(certificate, now) < 0

# until is how many nanoseconds are left.
until(certificate, now) := time.parse_rfc3339_ns(certificate.notAfter) - time.parse_rfc3339_ns(now)

# ends says in how many days something ends.
ends(days) := sprintf("ends in %d days", [days]) if days >= 0

ends(days) := "has ended" if days < 0

# roots are the root certificates of the mesh, of the ConfigMap by which istiod hands them to all namespaces, where an object is the one
# in Istio's root namespace.
roots(object) := mesh.certificates(object.data["root-cert.pem"]) if {
	object.kind == "ConfigMap"
	object.metadata.name == "istio-ca-root-cert"
	object.metadata.namespace == mesh.root_namespace()
}
