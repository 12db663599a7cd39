package istiod

// routes are for Services, ServiceEntries and Gateways that are there or not, with backends that are there or not.
func (g *generator) routes(ns string) {
	for range 2 + g.IntN(5) {
		kind := pick(g, "HTTPRoute", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute")
		spec := m{"parentRefs": l{g.parent()}}
		if kind == "HTTPRoute" || kind == "GRPCRoute" || kind == "TLSRoute" {
			if g.chance(2) || kind == "TLSRoute" {
				spec["hostnames"] = l{pick(g, "shop.example.com", "example.com", "other.org", "*.example.com")}
			}
		}
		spec["rules"] = l{m{"backendRefs": g.backends()}}
		g.add(routeVersion[kind], kind, ns, g.name("route"), nil, nil, m{"spec": spec})
	}
}

func (g *generator) parent() m {
	var parent m
	switch g.IntN(7) {
	case 0, 1, 2:
		parent = m{"group": "", "kind": "Service", "name": pick(g, append(apps, "absent")...)}
		if g.chance(2) {
			parent["port"] = int64(pick(g, 80, 9000, 1234))
		}
	case 3:
		parent = m{"group": "networking.istio.io", "kind": "ServiceEntry", "name": pick(g, "ext-0", "ext-1", "ext-2")}
	default:
		parent = m{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": pick(g, "gateway", "gateway", "gateway", "waypoint", "remote", "custom", "absent")}
		if g.chance(4) {
			parent["sectionName"] = pick(g, "http", "shop", "mesh", "absent")
		}
		if g.chance(6) {
			parent["port"] = int64(pick(g, 80, 8080, 15008))
		}
	}
	if g.chance(3) {
		parent["namespace"] = g.space()
	}
	return parent
}

// backends are one, and at times a second that istiod does not look at.
func (g *generator) backends() l {
	backend := m{"name": pick(g, append(apps, "absent")...), "port": int64(80)}
	switch g.IntN(10) {
	case 0, 1:
		backend["namespace"] = g.space()
	case 2:
		backend = pick(g, m{"group": "networking.istio.io", "kind": "ServiceEntry", "name": "ext-0", "port": int64(80)}, m{"kind": "Pod", "name": "pod-0", "port": int64(80)})
	}
	if g.chance(4) {
		return l{backend, m{"name": "absent", "port": int64(80), "weight": int64(0)}}
	}
	return l{backend}
}

// grants let the routes of other namespaces send to Services of this one.
func (g *generator) grants(ns string) {
	for range g.IntN(3) {
		to := m{"group": "", "kind": "Service"}
		if g.chance(3) {
			to["name"] = pick(g, apps...)
		}
		g.add("gateway.networking.k8s.io/v1", "ReferenceGrant", ns, g.name("grant"), nil, nil, m{"spec": m{
			"from": l{m{"group": "gateway.networking.k8s.io", "kind": pick(g, "HTTPRoute", "GRPCRoute", "TCPRoute"), "namespace": g.space()},
				m{"group": "gateway.networking.k8s.io", "kind": pick(g, "HTTPRoute", "TLSRoute"), "namespace": g.space()}},
			"to": l{to}}})
	}
}

// routeVersion is in which version the CRDs serve a kind of route.
var routeVersion = map[string]string{
	"HTTPRoute": "gateway.networking.k8s.io/v1", "GRPCRoute": "gateway.networking.k8s.io/v1",
	"TCPRoute": "gateway.networking.k8s.io/v1", "TLSRoute": "gateway.networking.k8s.io/v1",
}
