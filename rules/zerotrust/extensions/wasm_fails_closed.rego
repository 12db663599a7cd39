# METADATA
# title: A guard whose failure lets calls in
# description: |
#   With FAIL_OPEN a module that cannot be fetched, or that crashes, is left out, and requests pass without it. If it decides
#   who gets in, then whoever makes it crash does. What only counts may be left out, and says phase STATS.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/#FailStrategy}]
# custom:
#   severity: high
#   match: {kinds: [WasmPlugin.extensions.istio.io, TrafficExtension.extensions.istio.io]}
#   controls:
#     nist-800-53-r5: [SC-5, SC-7(18), SC-24, SI-17]
#     pci-dss-4.0.1: [10.7.2]
#     soc2: [A1.1, A1.2]
#     iso-27001-2022: [A.8.6, A.8.14]
#     cisa-ztmm-2: ["NW: Network Resilience"]
#   remediation: Take failStrategy out, which means FAIL_CLOSE.
package zerotrust.extensions.wasm_fails_closed

deny contains v if {
	not input.object.spec.phase == "STATS"
	some path, module in {"spec": input.object.spec, "spec.wasm": object.get(input.object.spec, "wasm", {})}
	module.failStrategy == "FAIL_OPEN"
	v := {
		"msg": "whoever makes the module crash gets past it: failStrategy is FAIL_OPEN.",
		"path": sprintf("%s.failStrategy", [path]),
	}
}
