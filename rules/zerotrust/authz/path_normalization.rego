# METADATA
# title: Paths that are compared as they are written
# description: |
#   A policy compares the path that the caller sent, as far as the mesh normalises it. By default /a/../b becomes /b,
#   while /a//b stays, and many a server serves it as /a/b. Then a DENY of /a/b does not match, and neither does what
#   an ALLOW leaves out. The stronger normalisations merge slashes, and decode escaped ones first.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/security/normalization/}]
# custom:
#   severity: medium
#   match: {kinds: [ConfigMap]}
#   params:
#     type: object
#     additionalProperties: false
#     properties:
#       atLeast:
#         type: string
#         enum: [BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES]
#         default: MERGE_SLASHES
#         description: "the weakest normalisation that will do"
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-24, SI-10]
#     pci-dss-4.0.1: [7.2.5, 7.3.1, 7.3.2]
#     soc2: [CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.8.3]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access"]
#     nist-800-204b: [APE-SR-1, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: >-
#     Set pathNormalization.normalization in the mesh configuration to MERGE_SLASHES, or to DECODE_AND_MERGE_SLASHES
#     where servers decode.
package zerotrust.authz.path_normalization

deny contains v if {
	input.object.metadata.namespace in {mesh.root_namespace(), "istio-system"}
	config := yaml.unmarshal(input.object.data.mesh)
	is_object(config)
	how := object.get(config, ["pathNormalization", "normalization"], "DEFAULT")
	strength[how] < strength[input.params.atLeast]
	v := {
		"msg": sprintf("a path can be written so that a policy does not recognise it and its server does: the mesh normalises paths by %s, and AuthorizationPolicy %s goes by paths.", [how, min(by_path)]),
		"path": "data.mesh",
	}
}

# survives constant: only the order counts.
strength := {"NONE": 0, "DEFAULT": 1, "BASE": 1, "MERGE_SLASHES": 2, "DECODE_AND_MERGE_SLASHES": 3}

by_path contains sprintf("%s/%s", [ns, policy.metadata.name]) if {
	some ns in mesh.namespaces()
	some policy in mesh.policies("AuthorizationPolicy", ns)
	some rule in policy.spec.rules
	some to in rule.to
	some field in ["paths", "notPaths"]
	to.operation[field] != []
}
