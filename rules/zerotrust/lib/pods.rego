# METADATA
# description: What rules about workloads share.
package zerotrust.lib.pods

# field is the path of a field of the pod in an object of a kind.
field("Pod", path) := path

field("CronJob", path) := concat("", ["spec.jobTemplate.spec.template.", path])

field(kind, path) := concat("", ["spec.template.", path]) if not kind in {"Pod", "CronJob"}

# captured is whether ztunnel or a sidecar stands before a workload.
captured(workload) if workload.mode in {"ambient", "sidecar"}

# key is the name of an object with its namespace.
key(object) := concat("/", [object.metadata.namespace, object.metadata.name])
