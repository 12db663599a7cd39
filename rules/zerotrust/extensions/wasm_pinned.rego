# METADATA
# title: Code in a proxy that can change without a word
# description: |
#   A WebAssembly module reads and changes all requests of its proxy. One that is named by a tag, or by an address, is
#   whatever lies there when the proxy fetches it. A digest says which it is.
# related_resources: [{ref: https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/}]
# custom:
#   severity: high
#   match: {kinds: [WasmPlugin.extensions.istio.io, TrafficExtension.extensions.istio.io]}
#   controls:
#     nist-800-53-r5: [CM-14, SI-7, SR-4, SR-11]
#     pci-dss-4.0.1: [6.3.3]
#     soc2: [CC6.8]
#     iso-27001-2022: [A.8.19]
#     hipaa: [164.312(c)(1)]
#   remediation: Write the digest, as sha256 or in the url after an @.
package zerotrust.extensions.wasm_pinned

deny contains v if {
	some path, module in {"spec": input.object.spec, "spec.wasm": object.get(input.object.spec, "wasm", {})}
	not startswith(module.url, "file://")
	not contains(module.url, "@sha256:")
	object.get(module, "sha256", "") == ""
	v := {
		"msg": sprintf("whoever can write to %s decides what runs in the proxy: nothing pins the module.", [module.url]),
		"path": sprintf("%s.url", [path]),
	}
}
