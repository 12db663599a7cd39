package istiod

import (
	"fmt"
	"strconv"
)

// gatewayShapes are the Gateways of a namespace by name: their class, and whether they get an address.
var gatewayShapes = []struct {
	name, class string
	address     bool // of its own: in spec.addresses, or written to the status
}{
	{"waypoint", "istio-waypoint", false},
	{"unready", "istio-waypoint", false}, // its pods are held
	{"remote", "istio-remote", true},
	{"other", "istio-remote", true},
	{"all", "istio-remote", true},
	{"custom", "custom-waypoint", false},
	{"gateway", "istio", false},
	{"foreign", "foreign", true},
	{"foreign", "foreign-workload", true},
	{"foreign", "istio-agentgateway-waypoint", true},
}

// parameters are what Gateways name in their parametersRef: read, read and nothing said, and not read.
func (g *generator) parameters(ns string) {
	for _, c := range []struct {
		name string
		data m
	}{{"params", m{"deployment": "spec: {minReadySeconds: 0}"}}, {"empty", m{}}, {"misspelt", m{"deployments": "spec: {}"}}} {
		g.add("v1", "ConfigMap", ns, c.name, nil, nil, m{"data": c.data})
	}
}

func (g *generator) waypoints(ns string) {
	taken := map[string]bool{}
	for _, shape := range gatewayShapes {
		likely := 3
		switch shape.name {
		case "remote":
			likely = 1
		case "gateway":
			likely = 2
		case "unready", "custom":
			likely = 6 // istiod deploys it, which takes a while
		}
		if taken[shape.name] || !g.chance(likely) {
			continue
		}
		taken[shape.name] = true
		labels, annotations := m{}, m{}
		if shape.name == "all" {
			labels["istio.io/waypoint-for"] = "all"
		} else if g.chance(3) {
			labels["istio.io/waypoint-for"] = pick(g, "service", "workload", "all", "none", "Service", "")
		}
		g.revision(labels)
		spec := m{"gatewayClassName": shape.class, "listeners": g.listeners(shape.class)}
		if g.chance(5) {
			spec["infrastructure"] = m{"parametersRef": pick(g, m{"group": "", "kind": "ConfigMap", "name": "params"}, m{"group": "", "kind": "ConfigMap", "name": "params"},
				m{"group": "", "kind": "ConfigMap", "name": "empty"}, m{"group": "", "kind": "ConfigMap", "name": "misspelt"}, m{"group": "", "kind": "ConfigMap", "name": "absent"},
				m{"group": "", "kind": "Secret", "name": "params"}, m{"group": "example.com", "kind": "ConfigMap", "name": "params"}, m{"group": "core", "kind": "ConfigMap", "name": "params"})}
		}
		if shape.class == "istio" {
			annotations["networking.istio.io/service-type"] = "ClusterIP"
		}
		if g.chance(12) {
			annotations["ambient.istio.io/waypoint-inbound-binding"] = pick(g, "NONE", "PROXY", "PROXY/15088", "NONE/15008", "other")
		}
		address := fmt.Sprintf("10.200.%d.%d", g.IntN(250), 1+g.IntN(250))
		if shape.class == "istio-remote" && !g.chance(8) {
			spec["addresses"] = l{m{"type": "IPAddress", "value": address}}
		}
		content := m{"spec": spec}
		if shape.name == "foreign" && !g.chance(4) {
			content["status"] = m{"addresses": l{m{"type": pick(g, "IPAddress", "IPAddress", "Hostname"), "value": address}}}
			if a := content["status"].(m)["addresses"].(l)[0].(m); a["type"] == "Hostname" {
				a["value"] = "proxy." + ns + ".svc.cluster.local"
			}
		}
		g.add("gateway.networking.k8s.io/v1", "Gateway", ns, shape.name, labels, annotations, content)
	}
}

func (g *generator) listeners(class string) l {
	if class == "istio" {
		out := l{g.allowed(m{"name": "http", "port": int64(80), "protocol": "HTTP"})}
		if g.chance(2) {
			out = append(out, g.allowed(m{"name": "shop", "port": int64(8080), "protocol": "HTTP", "hostname": pick(g, "shop.example.com", "*.example.com")}))
		}
		return out
	}
	hbone := m{"name": "mesh", "port": int64(15008), "protocol": "HBONE"}
	if g.chance(10) {
		hbone["port"] = int64(15009)
	}
	out := l{g.allowed(hbone)}
	if class != "istio-waypoint" && g.chance(6) {
		out = append(out, g.allowed(m{"name": "proxy", "port": int64(15088), "protocol": "istio.io/PROXY"}))
	}
	return out
}

func (g *generator) allowed(listener m) m {
	switch g.IntN(6) {
	case 0:
		return listener
	case 1:
		listener["allowedRoutes"] = m{"namespaces": m{"from": "Same"}}
	case 2:
		listener["allowedRoutes"] = m{"namespaces": m{"from": "Selector", "selector": pick(g, m{"matchLabels": m{"team": "a"}}, m{},
			m{"matchExpressions": l{m{"key": "team", "operator": "NotIn", "values": l{"a"}}}}, m{"matchLabels": m{"kubernetes.io/metadata.name": g.space()}})}}
	case 3:
		listener["allowedRoutes"] = m{"kinds": l{m{"kind": pick(g, "HTTPRoute", "GRPCRoute")}}}
	default:
		listener["allowedRoutes"] = m{"namespaces": m{"from": "All"}}
	}
	return listener
}

var apps = []string{"cart", "web", "db", "cache"}

func (g *generator) ports() l {
	out := l{m{"name": "http", "port": int64(80), "targetPort": int64(8080)}}
	if g.chance(2) {
		out = append(out, m{"name": pick(g, "tcp", "tcp-db", "grpc", "any", "https"), "port": int64(9000)})
	}
	return out
}

func (g *generator) services(ns string) {
	for _, app := range apps[:1+g.IntN(len(apps))] {
		labels := m{"app": app}
		if g.chance(3) {
			g.useWaypoint(labels)
		}
		if g.chance(6) {
			labels["istio.io/ingress-use-waypoint"] = pick(g, "true", "false", "t", "yes")
		}
		if g.chance(20) {
			labels["gateway.istio.io/managed"] = pick(g, "istio.io-mesh-controller", "istio.io-eastwest-controller", "other")
		}
		spec := m{"selector": m{"app": app}, "ports": g.ports()}
		switch g.IntN(8) {
		case 0:
			spec["clusterIP"] = "None"
		case 1:
			spec = m{"type": "ExternalName", "externalName": app + ".example.com"}
		case 2:
			delete(spec, "selector")
		}
		g.add("v1", "Service", ns, app, labels, g.canary(labels), m{"spec": spec})
	}
	g.serviceEntries(ns)
}

func (g *generator) serviceEntries(ns string) {
	for i := range g.IntN(4) {
		labels := m{}
		if g.chance(2) {
			g.useWaypoint(labels)
		}
		spec := m{"hosts": l{fmt.Sprintf("ext-%d.%s.example.com", i, ns)}, "ports": l{m{"number": int64(80), "name": "http", "protocol": "HTTP"}}, "resolution": "DNS"}
		switch g.IntN(6) {
		case 2:
			spec["hosts"] = l{pick(g, apps...) + "." + ns + ".svc.cluster.local"}
		case 3:
			spec["hosts"] = l{"shared.example.com"}
		case 0:
			spec["hosts"], spec["resolution"] = l{fmt.Sprintf("*.%d.%s.example.com", i, ns)}, "DYNAMIC_DNS"
		case 1:
			spec["resolution"], spec["location"] = "STATIC", "MESH_INTERNAL"
			spec["endpoints"] = l{m{"address": fmt.Sprintf("10.201.%d.%d", g.IntN(250), 1+g.IntN(250)), "labels": m{"app": pick(g, apps...)}}}
			labels["app"] = pick(g, apps...)
		}
		g.revision(labels)
		g.add("networking.istio.io/v1", "ServiceEntry", ns, fmt.Sprintf("ext-%d", i), labels, g.canary(labels), m{"spec": spec})
	}
}

// workloads are pods and WorkloadEntries; redirected as istio-cni writes it, or not.
func (g *generator) workloads(ns string) {
	for i := range 1 + g.IntN(4) {
		labels, annotations := m{"app": pick(g, apps...), "version": pick(g, "v1", "v2")}, m{}
		g.workloadLabels(labels)
		switch g.IntN(6) {
		case 0:
		case 1:
			annotations["sidecar.istio.io/status"] = `{"containers":["istio-proxy"]}`
		case 2:
			annotations["ambient.istio.io/redirection"] = "pending"
		default:
			annotations["ambient.istio.io/redirection"] = "enabled"
		}
		spec := m{"serviceAccountName": pick(g, apps...), "containers": l{m{"name": "app", "image": "app", "ports": l{m{"containerPort": int64(8080)}}}}}
		if g.chance(15) {
			spec["hostNetwork"] = true
		}
		g.add("v1", "Pod", ns, "pod-"+strconv.Itoa(i), labels, annotations, m{"spec": spec})
	}
	for i := range g.IntN(3) {
		labels, annotations := m{"app": pick(g, apps...)}, m{}
		g.workloadLabels(labels)
		if g.chance(2) {
			annotations["ambient.istio.io/redirection"] = "enabled"
		}
		spec := m{"address": fmt.Sprintf("10.202.%d.%d", g.IntN(250), 1+g.IntN(250)), "serviceAccount": pick(g, apps...)}
		if g.chance(2) {
			spec["labels"] = m{"app": pick(g, apps...), "version": pick(g, "v1", "v2")}
		}
		g.revision(labels)
		g.add("networking.istio.io/v1", "WorkloadEntry", ns, "vm-"+strconv.Itoa(i), labels, annotations, m{"spec": spec})
	}
}

func (g *generator) workloadLabels(labels m) {
	if g.chance(2) {
		g.useWaypoint(labels)
		if g.chance(2) {
			labels["istio.io/use-waypoint"] = "all"
		}
	}
	if g.chance(12) {
		labels["istio.io/dataplane-mode"] = pick(g, "none", "ambient")
	}
	if g.chance(15) {
		labels["gateway.networking.k8s.io/gateway-name"] = pick(g, "remote", "waypoint", "absent")
	}
}

// revision says now and then that an object is for one istiod only.
func (g *generator) revision(labels m) {
	if g.chance(12) {
		labels["istio.io/rev"] = pick(g, "default", "canary", "canary", "")
	}
}
