package istiod

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// waypointConfig makes what shows at a waypoint's proxy: Services over the proxies, by which istiod knows
// them, and policies that only proxies read.
func (g *generator) waypointConfig() {
	g.fronts()
	g.behind()
	for _, name := range []string{"ext-authz", "ext-http"} {
		g.add("v1", "Service", rootNamespace, name, nil, nil, m{"spec": m{"ports": l{m{"name": "grpc", "port": int64(9000)}}}})
	}
	for _, ns := range append([]string{rootNamespace}, g.spaces...) {
		for range 1 + g.IntN(3) {
			g.requestAuthentication(ns)
		}
		for range g.IntN(3) {
			g.wasmPlugin(ns)
			g.trafficExtension(ns)
			g.envoyFilter(ns)
		}
	}
	for range 4 {
		g.classPolicy()
	}
}

// fronts gives every remote waypoint a Service with its address.
func (g *generator) fronts() {
	const static = 255 // addresses of this half are not given to Services that ask for none
	n := 10
	for _, o := range g.objects {
		addresses, found, _ := unstructured.NestedSlice(o.Object, "spec", "addresses")
		if o.GetKind() != "Gateway" || !found || len(addresses) != 1 || n == static {
			continue
		}
		ip := fmt.Sprintf("10.96.0.%d", n)
		n++
		o.Object["spec"].(m)["addresses"] = l{m{"type": "IPAddress", "value": ip}}
		g.add("v1", "Service", o.GetNamespace(), o.GetName()+"-proxy", nil, nil, m{"spec": m{
			"clusterIP": ip, "selector": m{"gateway.networking.k8s.io/gateway-name": o.GetName()},
			"ports": l{m{"name": "mesh", "port": int64(15008), "appProtocol": "hbone"}}}})
	}
}

// behind gives most waypoints Services of their own, with ports of all protocols, and policies for them.
func (g *generator) behind() {
	for _, o := range g.objects {
		class, _, _ := unstructured.NestedString(o.Object, "spec", "gatewayClassName")
		if o.GetKind() != "Gateway" || class != "istio-remote" && class != "istio-waypoint" && class != "custom-waypoint" || g.chance(4) {
			continue
		}
		ns := o.GetNamespace()
		for range 1 + g.IntN(2) {
			name, ports := g.name("api"), l{}
			for _, p := range []m{
				{"name": "http", "port": int64(80), "targetPort": int64(8080)}, {"name": "tcp", "port": int64(9000)}, {"name": "any", "port": int64(7000)},
				{"name": "secure", "port": int64(443), "appProtocol": "https"}, {"name": "dns", "port": int64(53), "protocol": "UDP"},
			} {
				if g.chance(2) {
					ports = append(ports, p)
				}
			}
			if len(ports) == 0 {
				ports = l{m{"name": "grpc", "port": int64(8080)}}
			}
			g.add("v1", "Service", ns, name, m{"istio.io/use-waypoint": o.GetName()}, nil, m{"spec": m{"selector": m{"app": pick(g, apps...)}, "ports": ports}})
			refs := l{m{"group": "", "kind": "Service", "name": name}}
			for range 2 + g.IntN(4) {
				g.servicePolicy(ns, refs)
			}
		}
	}
}

// servicePolicy is an AuthorizationPolicy for a Service.
func (g *generator) servicePolicy(ns string, refs l) {
	annotations, spec := m{}, m{"targetRefs": refs, "action": pick(g, "ALLOW", "ALLOW", "DENY", "DENY", "AUDIT", "CUSTOM")}
	if spec["action"] == "CUSTOM" {
		spec["provider"] = m{"name": pick(g, "ext-authz", "ext-authz", "ext-http", "ext-http", "ext-lost", "absent")}
	}
	if g.chance(12) {
		annotations["istio.io/dry-run"] = "true"
	}
	if rules := g.times(2, func() any { return g.rule() }); !g.chance(8) {
		spec["rules"] = rules
	}
	g.add("security.istio.io/v1", "AuthorizationPolicy", ns, g.name("ap"), nil, annotations, m{"spec": spec})
}

// attachment is a selector, targetRefs or neither, the second most often.
func (g *generator) attachment(ns string) m {
	spec := m{}
	switch g.IntN(8) {
	case 0:
	case 1:
		spec["selector"] = m{"matchLabels": m{"app": pick(g, apps...)}}
	default:
		spec["targetRefs"] = g.times(2, func() any {
			if ns == rootNamespace {
				return m{"group": "gateway.networking.k8s.io", "kind": "GatewayClass", "name": pick(g, "istio-waypoint", "istio-waypoint", "custom-waypoint")}
			}
			return g.bindable()
		})
	}
	return spec
}

// bindable is a targetRef to what may be a waypoint, or behind one.
func (g *generator) bindable() m {
	switch g.IntN(6) {
	case 0, 1:
		return m{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": pick(g, waypointNames[:12]...)}
	case 2:
		return m{"group": "gateway.networking.k8s.io", "kind": "GatewayClass", "name": "istio-waypoint"}
	case 3:
		return m{"group": "networking.istio.io", "kind": "ServiceEntry", "name": pick(g, "ext-0", "ext-1", "absent")}
	}
	return m{"group": "", "kind": "Service", "name": pick(g, append(apps, "absent")...)}
}

// requestAuthentication has issuers of its own, because a proxy knows it by nothing else.
func (g *generator) requestAuthentication(ns string) {
	name, spec := g.name("ra"), g.attachment(ns)
	rules := l{}
	for i := range g.IntN(4) {
		rules = append(rules, m{"issuer": fmt.Sprintf("%s.%s/%d", name, ns, i), "jwks": `{"keys":[]}`})
	}
	if len(rules) > 0 {
		spec["jwtRules"] = rules
	}
	labels := m{}
	g.revision(labels)
	g.add("security.istio.io/v1", "RequestAuthentication", ns, name, labels, nil, m{"spec": spec})
}

// matches are what an extension narrows itself to.
func (g *generator) matches() l {
	out := l{}
	for range g.IntN(3) {
		match := m{}
		if g.chance(2) {
			match["mode"] = pick(g, "CLIENT", "SERVER", "CLIENT_AND_SERVER")
		}
		if g.chance(2) {
			match["ports"] = l{m{"number": int64(pick(g, 80, 9000, 1234))}}
		}
		out = append(out, match)
	}
	return out
}

func (g *generator) wasmPlugin(ns string) {
	spec := g.attachment(ns)
	spec["url"], spec["phase"] = "oci://example.com/plugin:1", pick(g, "AUTHN", "AUTHZ", "STATS", "UNSPECIFIED_PHASE")
	if g.chance(2) {
		spec["type"] = pick(g, "HTTP", "NETWORK")
	}
	if ms := g.matches(); len(ms) > 0 {
		spec["match"] = ms
	}
	g.add("extensions.istio.io/v1alpha1", "WasmPlugin", ns, g.name("wasm"), nil, nil, m{"spec": spec})
}

func (g *generator) trafficExtension(ns string) {
	spec := g.attachment(ns)
	if g.chance(2) {
		spec["lua"] = m{"inlineCode": "function envoy_on_request(handle) end"}
	} else {
		spec["wasm"] = m{"url": "oci://example.com/plugin:1", "type": pick(g, "HTTP", "NETWORK")}
	}
	if ms := g.matches(); len(ms) > 0 {
		spec["match"] = ms
	}
	g.add("extensions.istio.io/v1alpha1", "TrafficExtension", ns, g.name("ext"), nil, nil, m{"spec": spec})
}

// envoyFilter adds an HTTP filter that is named after it.
func (g *generator) envoyFilter(ns string) {
	spec, name := g.attachment(ns), g.name("ef")
	if s, ok := spec["selector"].(m); ok {
		delete(spec, "selector")
		spec["workloadSelector"] = m{"labels": s["matchLabels"]}
	}
	spec["configPatches"] = l{m{
		"applyTo": "HTTP_FILTER",
		"match": m{"context": pick(g, "ANY", "SIDECAR_INBOUND", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"),
			"listener": m{"filterChain": m{"filter": m{"name": "envoy.filters.network.http_connection_manager"}}}},
		"patch": m{"operation": "INSERT_FIRST", "value": m{"name": "envoyfilter/" + ns + "/" + name, "typed_config": m{
			"@type":               "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
			"default_source_code": m{"inline_string": "function envoy_on_request(handle) end"}}}},
	}}
	g.add("networking.istio.io/v1alpha3", "EnvoyFilter", ns, name, nil, nil, m{"spec": spec})
}

// classPolicy is an AuthorizationPolicy for all waypoints.
func (g *generator) classPolicy() {
	spec := m{"action": pick(g, "DENY", "ALLOW", "AUDIT"), "rules": g.times(2, func() any { return g.rule() }), "targetRefs": l{
		m{"group": "gateway.networking.k8s.io", "kind": "GatewayClass", "name": "istio-waypoint"}}}
	g.add("security.istio.io/v1", "AuthorizationPolicy", rootNamespace, g.name("ap"), nil, nil, m{"spec": spec})
}
