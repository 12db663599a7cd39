# METADATA
# title: A gateway or a waypoint that writes no access log
# description: |
#   Who was let in and who was kept out is known afterwards from access logs. Istio writes none unless it is told to: by the mesh
#   configuration, for all proxies, or by a Telemetry that names a provider for the gateway. That a Telemetry switches logs
#   off again is for zero-trust/observability/access-log-kept to find.
# related_resources: [{ref: https://istio.io/latest/docs/tasks/observability/logs/access-log/}]
# custom:
#   severity: high
#   match: {kinds: [Gateway.gateway.networking.k8s.io]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       classes:
#         type: array
#         items: {type: string}
#         default: [istio, istio-waypoint, istio-east-west]
#         description: "gateway classes whose proxies write what Telemetry says"
#   controls:
#     nist-800-53-r5: [AU-2, AU-3, AU-12, SI-4]
#     pci-dss-4.0.1: [10.2.1, 10.2.1.4, 10.2.2]
#     soc2: [CC7.2]
#     iso-27001-2022: [A.8.15, A.8.16]
#     hipaa: [164.312(b)]
#   remediation: >-
#     Write a Telemetry in Istio's root namespace whose accessLogging names a provider, or set accessLogFile in the
#     mesh configuration.
package zerotrust.observability.access_logs_on

import data.zerotrust.lib.waits

deny contains v if {
	input.object.spec.gatewayClassName in input.params.classes
	not by_default
	not by_telemetry
	v := {
		"msg": sprintf("nobody knows afterwards who called through Gateway %s: the mesh writes no access log by default, and no Telemetry names a provider for it.", [input.object.metadata.name]),
		"path": "spec.gatewayClassName",
		"waitsFor": waits.another("Telemetry", mesh.root_namespace()),
	}
}

skip contains "what proxies log by default cannot be told: the mesh configuration is not in the input." if count(configs) == 0

# configs are the mesh configurations, of which each revision has one.
configs := [config |
	some ns in {mesh.root_namespace(), "istio-system"}
	some stored in mesh.policies("ConfigMap", ns)
	config := yaml.unmarshal(stored.data.mesh)
]

by_default if {
	some config in configs
	writes(config)
}

writes(config) if config.accessLogFile != ""

writes(config) if config.enableEnvoyAccessLogService

writes(config) if config.defaultProviders.accessLogging[_]

by_telemetry if {
	some telemetry in in_force
	some log in telemetry.spec.accessLogging
	log.providers[_]
	not log.disabled
}

# in_force are the Telemetries that hold for the gateway as a whole.
in_force contains telemetry if {
	some ns in [mesh.root_namespace(), input.object.metadata.namespace]
	some telemetry in mesh.policies("Telemetry", ns)
	wide(telemetry)
}

in_force contains telemetry if {
	some telemetry in mesh.policies("Telemetry", input.object.metadata.namespace)
	names(telemetry, "Gateway", input.object.metadata.name)
}

in_force contains telemetry if {
	some telemetry in mesh.policies("Telemetry", mesh.root_namespace())
	names(telemetry, "GatewayClass", input.object.spec.gatewayClassName)
}

in_force contains telemetry if {
	some telemetry in mesh.policies("Telemetry", input.object.metadata.namespace)
	some pod in mesh.workloads(input.object.metadata.namespace, telemetry.spec.selector.matchLabels)
	pod.labels["gateway.networking.k8s.io/gateway-name"] == input.object.metadata.name
}

wide(telemetry) if {
	not telemetry.spec.targetRef
	not telemetry.spec.targetRefs
	not telemetry.spec.selector.matchLabels
}

names(telemetry, kind, name) if {
	telemetry.spec.targetRef.kind == kind
	telemetry.spec.targetRef.name == name
}

names(telemetry, kind, name) if {
	some ref in telemetry.spec.targetRefs
	ref.kind == kind
	ref.name == name
}
