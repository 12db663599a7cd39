# METADATA
# description: What rules about workloads share.
package zerotrust.lib.pods

# field is the path of a field of the pod in an object of a kind.
field("Pod", path) := path

field("CronJob", path) := concat("", ["spec.jobTemplate.spec.template.", path])

field(kind, path) := concat("", ["spec.template.", path]) if not kind in {"Pod", "CronJob"}

# of are the workloads that an object stands for.
of(object) := mesh.workloads_of(object.kind, object.metadata.namespace, object.metadata.name)

# plain is a pod of a namespace that has no labels of its own.
plain(namespace) := mesh.workloads_of("Namespace", "", namespace)[0]

# captured is whether ztunnel or a sidecar stands before a workload.
captured(workload) if workload.mode in {"ambient", "sidecar"}

# bypassed is whether plaintext reaches a workload without passing its ztunnel.
bypassed(workload) if workload.annotations["ambient.istio.io/bypass-inbound-capture"] in {"true", "True", "TRUE", "t", "T", "1"}

# key is the name of an object with its namespace.
key(object) := concat("/", [object.metadata.namespace, object.metadata.name])

# spec is the spec of the pods that an object of a kind makes.
spec(object) := object.spec if object.kind == "Pod"

spec(object) := object.spec.template.spec if not object.kind in {"Pod", "CronJob"}

spec(object) := object.spec.jobTemplate.spec.template.spec if object.kind == "CronJob"

# containers are those of the pods that an object makes, by their paths in the pod.
containers(object) := {path: c |
	some list in ["containers", "initContainers"]
	some i, c in spec(object)[list]
	path := sprintf("spec.%s[%d]", [list, i])
}
