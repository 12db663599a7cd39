# METADATA
# title: An external authorizer whose failure lets calls in
# description: |
#   With failOpen an external authorizer that does not answer is taken for one that agrees. Whoever can make it slow,
#   or waits for it to be restarted, gets in. Only providers that a CUSTOM policy uses are told.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/}]
# custom:
#   severity: critical
#   match: {kinds: [ConfigMap]}
#   controls:
#     nist-800-53-r5: [AC-3, AC-4, AC-24, SC-5, SC-7(18), SC-24, SI-17]
#     pci-dss-4.0.1: [7.2.5, 7.3.1, 7.3.2, 10.7.2]
#     soc2: [A1.1, A1.2, CC6.1, CC6.3]
#     iso-27001-2022: [A.5.15, A.8.3, A.8.6, A.8.14]
#     hipaa: [164.312(a)(1)]
#     cisa-ztmm-2: ["AW: Application Access", "NW: Network Resilience"]
#     nist-800-204b: [APE-SR-1, EUAZ-SR-1, SAUZ-SR-1]
#     nist-800-207a: [ID-SEG-REC-3]
#   remediation: Take failOpen out of the provider, and give it replicas.
package zerotrust.authz.ext_authz_fails_closed

deny contains v if {
	input.object.metadata.namespace in {mesh.root_namespace(), "istio-system"}
	config := yaml.unmarshal(input.object.data.mesh)
	some provider in config.extensionProviders
	some api in ["envoyExtAuthzHttp", "envoyExtAuthzGrpc"]
	provider[api].failOpen == true
	v := {
		"msg": sprintf("calls that %s is to decide get in when it does not answer: its provider has failOpen, and %s asks it.", [provider.name, min(users(provider.name))]),
		"path": "data.mesh",
	}
}

users(provider) := {sprintf("AuthorizationPolicy %s/%s", [ns, policy.metadata.name]) |
	some ns in mesh.namespaces()
	some policy in mesh.policies("AuthorizationPolicy", ns)
	policy.spec.action == "CUSTOM"
	policy.spec.provider.name == provider
}
