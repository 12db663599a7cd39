package filemesh

import (
	"bufio"
	"fmt"
	"io"
)

// Shape is a mesh that is hard in one way: it crowds into one place what a careless check walks over
// once for each object.
type Shape struct {
	Name, About string

	namespaces, pods, services, policies int // pods and services in each namespace
	write                                func(*crowd)
}

// Shapes are the hard meshes.
var Shapes = []Shape{
	{"pods", "2,000 pods and 500 selector policies in one namespace", 1, 2000, 50, 500, (*crowd).selectors},
	{"services", "1,000 Services with a policy and a route or DestinationRule each in one namespace", 1, 1000, 1000, 1000, (*crowd).targets},
	{"root", "200 policies of the root namespace over 50,000 pods", 1000, 50, 10, 200, (*crowd).root},
	{"kinds", "every kind of policy in each of 100 namespaces", 100, 10, 10, 3, (*crowd).kinds},
}

// Write writes the mesh as a YAML stream, scale times as large: with more namespaces, or with more in
// the one that it has.
func (s Shape) Write(w io.Writer, scale float64) error {
	b := bufio.NewWriter(w)
	by := func(n int) int { return max(1, int(float64(n)*scale)) }
	if s.namespaces > 1 {
		s.namespaces = by(s.namespaces)
	} else {
		s.pods, s.services, s.policies = by(s.pods), by(s.services), by(s.policies)
	}
	c := &crowd{b, s}
	for n := range s.namespaces {
		c.namespace(fmt.Sprint("team-", n))
	}
	s.write(c)
	return b.Flush()
}

type crowd struct {
	out io.Writer
	Shape
}

// object writes an object whose spec is in flow style.
func (c *crowd) object(api, kind, ns, name, spec string) {
	c.whole(api, kind, fmt.Sprintf("{name: %s, namespace: %s}", name, ns), "spec: "+spec)
}

func (c *crowd) whole(api, kind, metadata, rest string) {
	fmt.Fprintf(c.out, "---\napiVersion: %s\nkind: %s\nmetadata: %s\n%s\n", api, kind, metadata, rest)
}

func (c *crowd) namespace(ns string) {
	c.whole("v1", "Namespace", fmt.Sprintf("{name: %s, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}", ns), "")
	c.object(gatewayAPI, "Gateway", ns, "waypoint", "{gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}")
	for i := range c.services {
		c.object("v1", "Service", ns, fmt.Sprint("app-", i), fmt.Sprintf("{selector: {app: app-%d}, ports: [{name: http, port: 80, targetPort: 8080}]}", i))
	}
	for i := range c.pods {
		app := fmt.Sprint("app-", i%c.services)
		c.whole("v1", "Pod", fmt.Sprintf("{name: pod-%d, namespace: %s, labels: {app: %s}, annotations: {ambient.istio.io/redirection: enabled}}", i, ns, app),
			fmt.Sprintf("spec: {serviceAccountName: %s, containers: [{name: app, image: registry.example.com/app:1, ports: [{containerPort: 8080}]}]}\nstatus: {phase: Running}", app))
	}
}

const (
	security   = "security.istio.io/v1"
	networking = "networking.istio.io/v1"
	gatewayAPI = "gateway.networking.k8s.io/v1"
	telemetry  = "telemetry.istio.io/v1"
	extensions = "extensions.istio.io/v1alpha1"
)

// selectors are policies by selector, each of which asks which of the namespace's pods it means.
func (c *crowd) selectors() {
	for i := range c.policies {
		l4 := fmt.Sprintf(`{selector: {matchLabels: {app: app-%d}}, rules: [{from: [{source: {principals: [cluster.local/ns/a/sa/b]}}]}]}`, i%c.services)
		l7 := fmt.Sprintf(`{action: DENY, selector: {matchLabels: {app: app-%d}}, rules: [{to: [{operation: {methods: [GET], ports: ["8080"]}}]}]}`, i%c.services)
		c.object(security, "AuthorizationPolicy", "team-0", fmt.Sprint("policy-", i), []string{l4, l7}[i%2])
	}
}

// targets are policies and routes of Services, each of which asks what else concerns its Service.
func (c *crowd) targets() {
	for i := range c.policies {
		host := fmt.Sprintf("app-%d", i%c.services)
		c.object(security, "AuthorizationPolicy", "team-0", "policy-"+host,
			fmt.Sprintf(`{targetRefs: [{group: "", kind: Service, name: %s}], rules: [{to: [{operation: {methods: [GET]}}]}]}`, host))
		switch i % 4 {
		case 0:
			c.object(gatewayAPI, "HTTPRoute", "team-0", host, fmt.Sprintf(`{parentRefs: [{group: "", kind: Service, name: %[1]s}], rules: [{backendRefs: [{name: %[1]s, port: 80}]}]}`, host))
		case 1:
			c.object(networking, "VirtualService", "team-0", host, fmt.Sprintf(`{hosts: [%[1]s], http: [{route: [{destination: {host: %[1]s}}]}]}`, host))
		default:
			c.object(networking, "DestinationRule", "team-0", host, fmt.Sprintf(`{host: %s, trafficPolicy: {connectionPool: {http: {http1MaxPendingRequests: 1}}}}`, host))
		}
	}
}

// root are policies of the root namespace, each of which concerns every pod of the mesh.
func (c *crowd) root() {
	const ns = "istio-system"
	c.whole("v1", "Namespace", "{name: "+ns+"}", "")
	c.object(security, "PeerAuthentication", ns, "strict", `{mtls: {mode: STRICT}}`)
	c.object(networking, "DestinationRule", ns, "mesh", `{host: "*.local", trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}`)
	c.object(networking, "VirtualService", ns, "mesh", `{hosts: ["*.cluster.local"], http: [{route: [{destination: {host: app-0.team-0.svc.cluster.local}}]}]}`)
	for i := range c.policies {
		name := fmt.Sprint("policy-", i)
		switch i % 5 {
		case 0:
			c.object(security, "AuthorizationPolicy", ns, name, `{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}`)
		case 1:
			c.object(security, "AuthorizationPolicy", ns, name, `{rules: [{from: [{source: {namespaces: [a]}}]}]}`)
		case 2:
			c.object(security, "AuthorizationPolicy", ns, name, fmt.Sprintf(`{selector: {matchLabels: {app: app-%d}}, rules: [{to: [{operation: {ports: ["8080"]}}]}]}`, i%c.services))
		case 3:
			c.object(security, "RequestAuthentication", ns, name, `{jwtRules: [{issuer: a}]}`)
		case 4:
			c.object(telemetry, "Telemetry", ns, name, `{accessLogging: [{disabled: true}]}`)
		}
	}
}

// kinds are some of every kind of policy in every namespace.
func (c *crowd) kinds() {
	for n := range c.namespaces {
		for i := range c.policies {
			c.every(fmt.Sprint("team-", n), fmt.Sprint("app-", i))
		}
	}
}

func (c *crowd) every(ns, app string) {
	target := fmt.Sprintf(`targetRefs: [{group: "", kind: Service, name: %s}]`, app)
	selector := fmt.Sprintf(`selector: {matchLabels: {app: %s}}`, app)
	parent := fmt.Sprintf(`{parentRefs: [{group: "", kind: Service, name: %[1]s}], rules: [{backendRefs: [{name: %[1]s, port: 80}]}]}`, app)
	for i, scope := range []string{target, selector} {
		name := fmt.Sprintf("%s-%d", app, i)
		c.object(security, "AuthorizationPolicy", ns, name, `{`+scope+`, rules: [{to: [{operation: {methods: [GET]}}]}]}`)
		c.object(security, "RequestAuthentication", ns, name, `{`+scope+`, jwtRules: [{issuer: a}]}`)
		c.object(telemetry, "Telemetry", ns, name, `{`+scope+`, accessLogging: [{disabled: true}]}`)
		c.object(extensions, "WasmPlugin", ns, name, `{`+scope+`, url: "oci://registry.example.com/a"}`)
	}
	c.object(security, "PeerAuthentication", ns, app, `{`+selector+`, mtls: {mode: STRICT}, portLevelMtls: {"8080": {mode: PERMISSIVE}}}`)
	c.object(networking, "VirtualService", ns, app, fmt.Sprintf(`{hosts: [%[1]s], http: [{match: [{sourceLabels: {app: a}}], route: [{destination: {host: %[1]s}}]}]}`, app))
	c.object(networking, "VirtualService", ns, app+"-wild", fmt.Sprintf(`{hosts: ["*.%s.svc.cluster.local"], http: [{route: [{destination: {host: %s}}]}]}`, ns, app))
	c.object(networking, "DestinationRule", ns, app, fmt.Sprintf(`{host: %s, subsets: [{name: a, labels: {v: a}}]}`, app))
	c.object(networking, "DestinationRule", ns, app+"-wild", fmt.Sprintf(`{host: "*.%s.example.com", trafficPolicy: {tls: {mode: SIMPLE}}}`, ns))
	c.object(networking, "ServiceEntry", ns, app, fmt.Sprintf(`{hosts: [%s.%s.example.com], resolution: DNS, ports: [{number: 443, name: https, protocol: TLS}]}`, app, ns))
	c.object(networking, "Sidecar", ns, app, `{workloadS`+selector[1:]+`, egress: [{hosts: ["./*"]}]}`)
	c.object("networking.istio.io/v1alpha3", "EnvoyFilter", ns, app, `{workloadS`+selector[1:]+`, configPatches: [{applyTo: HTTP_FILTER, match: {context: SIDECAR_INBOUND}, patch: {operation: INSERT_BEFORE, value: {name: a}}}]}`)
	c.object("networking.istio.io/v1beta1", "ProxyConfig", ns, app, `{`+selector+`, concurrency: 1}`)
	c.object(gatewayAPI, "HTTPRoute", ns, app, parent)
	c.object(gatewayAPI, "GRPCRoute", ns, app, parent)
	c.object("networking.k8s.io/v1", "NetworkPolicy", ns, app, fmt.Sprintf(`{podSelector: {matchLabels: {app: %s}}, ingress: [{ports: [{port: 8080}]}]}`, app))
}
