# METADATA
# description: What rules about roles and their bindings share.
package zerotrust.lib.rbac

# reads are the verbs that show something.
reads := ["get", "list", "watch"]

# writes are the verbs that change something.
writes := ["create", "update", "patch", "delete", "deletecollection"]

# given is what of some verbs on some resources a binding gives; undefined where that is nothing. A binding that gives
# everything is for zero-trust/rbac/no-cluster-admin to tell, once.
given(binding, verbs, resources) := grants if {
	grants := rights(binding, verbs, resources)
	count(grants) > 0
	not everything(binding)
}

# unlimited is what of that is given on all objects, and not only on some by their names; undefined where that is nothing.
unlimited(given) := all if {
	all := [one | some one in given; one.names == []]
	count(all) > 0
}

# rights are what of some verbs on some resources a binding gives.
rights(binding, verbs, resources) := mesh.granted(binding.kind, home(binding), binding.metadata.name, verbs, resources)

# everything is whether a binding gives all there is.
everything(binding) if count(rights(binding, ["*"], ["*.*"])) > 0

# unknown says why it cannot be told what a binding gives.
unknown(binding) := sprintf("what it gives cannot be told: %s is not in the input.", [role(binding)]) if {
	not rights(binding, [], [])
}

# home is the namespace of an object, "" where it has none.
home(binding) := object.get(binding.metadata, "namespace", "")

# in_root is whether a binding holds in Istio's root namespace.
in_root(binding) if home(binding) in {"", mesh.root_namespace()}

# strangers are whom a binding gives something, but for parts of the cluster and of the mesh themselves, and whom a
# parameter allows; undefined where there are none.
strangers(binding, allowed) := found if {
	found := {who |
		some subject in binding.subjects
		who := named(subject, binding)
		not own(who)
		not listed(who, allowed)
	}
	count(found) > 0
}

# named is a subject in one text, as in "ServiceAccount shop/web", "User ann" and "Group developers".
named(subject, binding) := sprintf("ServiceAccount %s/%s", [object.get(subject, "namespace", home(binding)), subject.name]) if {
	subject.kind == "ServiceAccount"
}

named(subject, _) := sprintf("ServiceAccount %s/%s", array.slice(split(subject.name, ":"), 2, 4)) if {
	subject.kind == "User"
	startswith(subject.name, "system:serviceaccount:")
}

named(subject, _) := sprintf("%s %s", [subject.kind, subject.name]) if {
	subject.kind != "ServiceAccount"
	not startswith(subject.name, "system:serviceaccount:")
}

# own is whether somebody is a part of Kubernetes or of Istio.
own(who) if {
	some prefix in ["User system:", "Group system:", "ServiceAccount kube-system/", sprintf("ServiceAccount %s/", [mesh.root_namespace()])]
	startswith(who, prefix)
	not everybody(who)
}

# everybody is whether a subject is all who reach the API server, or all of a large part of them.
everybody(who) if who in {"User system:anonymous", "Group system:unauthenticated", "Group system:authenticated"}

everybody(who) if startswith(who, "Group system:serviceaccounts")

# listed is whether somebody is named by a pattern, as in "ServiceAccount argocd/*".
listed(who, patterns) if {
	some pattern in patterns
	glob.match(pattern, ["/"], who)
}

# names are subjects, or resources, in one text.
names(all) := concat(", ", sort(all))

# resources are those of what is given, in one text.
resources(given) := names({g.resource | some g in given})

# role is the role of a binding, as messages name it.
role(binding) := sprintf("%s %s", [binding.roleRef.kind, binding.roleRef.name])

# where is where a binding holds, as messages say it.
where(binding) := "everywhere" if home(binding) == ""

where(binding) := sprintf("in Namespace %s", [home(binding)]) if home(binding) != ""
