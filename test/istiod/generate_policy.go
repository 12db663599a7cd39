package istiod

import "strconv"

func (g *generator) authorizationPolicy(ns string) {
	labels, annotations, spec := m{}, m{}, m{}
	g.revision(labels)
	if g.chance(25) {
		annotations["istio.io/dry-run"] = pick(g, "true", "false", "maybe", "1")
	}
	switch g.IntN(14) {
	case 0:
		spec["action"] = "AUDIT"
	case 1:
		spec["action"], spec["provider"] = "CUSTOM", m{"name": "ext-authz"}
	case 2, 3, 4, 5, 6:
		spec["action"] = "DENY"
	case 7:
		spec["action"] = "ALLOW"
	}
	g.attach(ns, spec)
	rules := l{}
	for range g.IntN(4) {
		rules = append(rules, g.rule())
	}
	if len(rules) > 0 || g.chance(2) {
		spec["rules"] = rules
	}
	g.add("security.istio.io/v1", "AuthorizationPolicy", ns, g.name("ap"), labels, annotations, m{"spec": spec})
}

// attach gives a policy a selector, targetRefs, or neither.
func (g *generator) attach(ns string, spec m) {
	switch n := g.IntN(20); {
	case n < 3:
	case n < 7:
		spec["selector"] = m{"matchLabels": m{"app": pick(g, apps...)}}
		if g.chance(4) {
			spec["selector"].(m)["matchLabels"].(m)["version"] = pick(g, "v1", "v2", "v3")
		}
	case n == 7:
		spec["selector"] = m{}
	case n == 8:
		spec["selector"] = m{"matchLabels": m{}}
	case n == 9:
		spec["selector"] = m{"matchLabels": m{"gateway.networking.k8s.io/gateway-name": pick(g, "waypoint", "gateway", "custom")}}
	case n == 10:
		spec["targetRef"] = g.target(ns)
	default:
		refs := l{}
		for range 1 + g.IntN(2)*g.IntN(3) {
			refs = append(refs, g.target(ns))
		}
		spec["targetRefs"] = refs
	}
}

func (g *generator) target(ns string) m {
	n := g.IntN(8)
	if ns == rootNamespace && g.chance(2) {
		n = 2 // where a GatewayClass may be named
	}
	switch n {
	case 0, 1:
		return m{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": pick(g, waypointNames[:12]...)}
	case 2:
		return m{"group": "gateway.networking.k8s.io", "kind": "GatewayClass",
			"name": pick(g, "istio-waypoint", "istio", "custom-waypoint", "foreign", "absent", "istio-remote", "istio-agentgateway-waypoint")}
	case 3:
		return m{"group": "networking.istio.io", "kind": "ServiceEntry", "name": pick(g, "ext-0", "ext-1", "ext-2", "absent")}
	}
	return m{"group": pick(g, "", "", "core"), "kind": "Service", "name": pick(g, append(apps, "absent")...)}
}

func (g *generator) rule() m {
	r := m{}
	if g.chance(2) {
		r["from"] = g.times(2, func() any { return m{"source": g.source()} })
	}
	if g.chance(2) {
		r["to"] = g.times(2, func() any { return m{"operation": g.operation()} })
	}
	if g.chance(3) {
		r["when"] = g.times(2, func() any { return g.condition() })
	}
	return r
}

func (g *generator) times(n int, one func() any) l {
	out := l{}
	for range 1 + g.IntN(n) {
		out = append(out, one())
	}
	return out
}

func (g *generator) principal() any {
	return pick(g, "cluster.local/ns/"+g.space()+"/sa/"+pick(g, apps...), "*", "cluster.local/ns/"+g.space()+"/*", "*/sa/"+pick(g, apps...), "other.domain/ns/x/sa/y")
}

func (g *generator) spacePattern() any { return pick(g, g.space(), "s*", "*-01", "*") }

// one puts one or two values into a field, or in one of four cases into its negation.
func (g *generator) one(into m, field, negated string, value func() any) {
	if g.chance(4) {
		field = negated
	}
	into[field] = g.times(2, value)
}

func (g *generator) source() m {
	s := m{}
	for range 1 + g.IntN(2) {
		switch g.IntN(9) {
		case 0, 1:
			g.one(s, "principals", "notPrincipals", g.principal)
		case 2:
			g.one(s, "namespaces", "notNamespaces", g.spacePattern)
		case 3:
			g.one(s, "serviceAccounts", "notServiceAccounts", func() any { return pick(g, "cart", g.space()+"/web", "db") })
		case 4, 5:
			g.one(s, "ipBlocks", "notIpBlocks", func() any { return pick(g, "10.0.0.0/8", "10.1.2.3", "192.168.1.7/24", "::1", "2001:db8::/32") })
		case 6:
			g.one(s, "remoteIpBlocks", "notRemoteIpBlocks", func() any { return "10.0.0.0/8" })
		case 7:
			g.one(s, "requestPrincipals", "notRequestPrincipals", func() any { return pick(g, "*", "issuer/*") })
		case 8:
			g.one(s, "trustDomains", "notTrustDomains", func() any { return pick(g, "cluster.local", "other") })
		}
	}
	return s
}

func (g *generator) operation() m {
	o := m{}
	for range 1 + g.IntN(2) {
		switch g.IntN(5) {
		case 0, 1:
			g.one(o, "ports", "notPorts", func() any { return strconv.Itoa(pick(g, 80, 8080, 9000, 65535)) })
		case 2:
			g.one(o, "methods", "notMethods", func() any { return pick(g, "GET", "POST", "*") })
		case 3:
			g.one(o, "paths", "notPaths", func() any { return pick(g, "/admin", "/api/*", "*.html", "/x/{*}/y") })
		case 4:
			g.one(o, "hosts", "notHosts", func() any { return pick(g, "example.com", "*.example.com") })
		}
	}
	return o
}

func (g *generator) condition() m {
	c := m{}
	value := func() any { return "x" }
	switch c["key"] = pick[any](g, "source.ip", "source.namespace", "source.principal", "destination.ip", "destination.port",
		"request.headers[x]", "request.auth.claims[iss]", "remote.ip", "connection.sni", "source.serviceAccount", "source.trustDomain",
		"request.auth.principal"); c["key"] {
	case "source.ip", "destination.ip", "remote.ip":
		value = func() any { return pick(g, "10.0.0.0/8", "10.1.2.3", "fd00::/8") }
	case "source.namespace":
		value = g.spacePattern
	case "source.principal", "request.auth.principal":
		value = g.principal
	case "destination.port":
		value = func() any { return pick(g, "80", "8080") }
	case "source.serviceAccount":
		value = func() any { return g.space() + "/cart" }
	}
	g.one(c, "values", "notValues", value)
	if g.chance(5) {
		c["values"], c["notValues"] = g.times(1, value), g.times(1, value)
	}
	return c
}

func (g *generator) peerAuthentications(ns string) {
	mode := func() any { return pick(g, "STRICT", "STRICT", "PERMISSIVE", "DISABLE", "UNSET") }
	for range g.IntN(6) {
		spec := m{}
		switch n := g.IntN(10); {
		case n < 3:
		case n == 3:
			spec["selector"] = m{}
		case n == 4:
			spec["selector"] = m{"matchLabels": m{}}
		default:
			spec["selector"] = m{"matchLabels": m{"app": pick(g, apps...)}}
			if g.chance(3) {
				spec["selector"] = m{"matchLabels": m{"version": pick(g, "v1", "v2")}}
			}
			if !g.chance(4) {
				ports := m{}
				for range 1 + g.IntN(3) {
					ports[strconv.Itoa(pick(g, 80, 8080, 9000))] = m{"mode": mode()}
				}
				spec["portLevelMtls"] = ports
			}
		}
		if !g.chance(6) {
			spec["mtls"] = m{"mode": mode()}
			if g.chance(8) {
				spec["mtls"] = m{}
			}
		}
		labels := m{}
		g.revision(labels)
		g.add("security.istio.io/v1", "PeerAuthentication", ns, g.name("pa"), labels, nil, m{"spec": spec})
	}
}
