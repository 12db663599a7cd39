# METADATA
# description: What rules that rest on an absent object share.
package zerotrust.lib.waits

# another is any further object of a kind in a namespace.
another(kind, namespace) := {"kind": kind, "namespace": namespace}
