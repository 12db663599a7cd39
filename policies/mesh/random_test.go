package mesh_test

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/waywarden/waywarden/policies/mesh"
)

// anyObject makes random objects of the kinds that refer to one another, out of so few names that
// they often do.
type anyObject struct {
	*rand.Rand
	t testing.TB
}

type fields = map[string]any

func (r anyObject) pick(from ...string) string { return from[r.Intn(len(from))] }

func (r anyObject) namespace() string { return r.pick("shop", "bank", "istio-system") }

// labels picks some of the labels; each is written as "key=value".
func (r anyObject) labels(from ...[2]string) fields {
	out := fields{}
	for _, l := range from {
		if r.Intn(3) == 0 {
			out[l[0]] = l[1]
		}
	}
	return out
}

func (r anyObject) useWaypoint() [2]string {
	return [2]string{"istio.io/use-waypoint", r.pick("waypoint", "other", "none")}
}

func (r anyObject) object() *mesh.Object {
	makers := []func() (string, string, fields){
		r.namespaceObject, r.service, r.service, r.pod, r.pod, r.deployment, r.gateway, r.gateway, r.gatewayClass, r.route,
		r.virtualService, r.peerAuthentication, r.peerAuthentication, r.authorization, r.serviceEntry, r.workloadEntry, r.config, r.config,
	}
	apiVersion, kind, content := makers[r.Intn(len(makers))]()
	content["apiVersion"], content["kind"] = apiVersion, kind
	o, err := mesh.Decode(content)
	if err != nil {
		r.t.Fatalf("decode %v: %v", content, err)
	}
	return o
}

func (r anyObject) meta(labels fields, names ...string) fields {
	m := fields{"name": r.pick(names...), "namespace": r.namespace(), "labels": labels}
	if r.Intn(2) == 0 {
		m["creationTimestamp"] = fmt.Sprintf("2026-01-01T00:00:%02dZ", r.Intn(4))
	}
	return m
}

func (r anyObject) namespaceObject() (string, string, fields) {
	m := r.meta(r.labels(r.useWaypoint(), [2]string{"istio.io/dataplane-mode", "ambient"}, [2]string{"istio.io/use-waypoint-namespace", r.namespace()},
		[2]string{"istio-injection", "enabled"}, [2]string{"team", r.pick("web", "ops")}), "")
	m["name"] = r.namespace()
	delete(m, "namespace")
	return "v1", "Namespace", fields{"metadata": m}
}

func (r anyObject) service() (string, string, fields) {
	labels := r.labels(r.useWaypoint(), [2]string{"istio.io/use-waypoint-namespace", r.namespace()}, [2]string{"istio.io/ingress-use-waypoint", "true"})
	return "v1", "Service", fields{"metadata": r.meta(labels, "cart", "pay"),
		"spec": fields{"selector": fields{"app": r.pick("cart", "pay")}, "ports": []any{fields{"port": 80, "name": r.pick("http", "tcp")}}}}
}

func (r anyObject) podSpec() fields {
	return fields{"hostNetwork": r.Intn(5) == 0, "containers": []any{fields{"name": "app", "ports": []any{fields{"containerPort": 8080}}}}}
}

func (r anyObject) podLabels() fields {
	return r.labels([2]string{"app", r.pick("cart", "pay")}, [2]string{"istio.io/dataplane-mode", r.pick("ambient", "none")}, r.useWaypoint(),
		[2]string{"gateway.networking.k8s.io/gateway-name", "waypoint"})
}

func (r anyObject) pod() (string, string, fields) {
	m := r.meta(r.podLabels(), "a", "b", "c")
	if r.Intn(2) == 0 {
		m["annotations"] = fields{"ambient.istio.io/redirection": "enabled"}
	}
	return "v1", "Pod", fields{"metadata": m, "spec": r.podSpec(), "status": fields{"phase": r.pick("", "Running", "Succeeded")}}
}

func (r anyObject) revision() [2]string { return [2]string{"istio.io/rev", r.pick("canary", "old")} }

func (r anyObject) deployment() (string, string, fields) {
	return "apps/v1", "Deployment", fields{"metadata": r.meta(r.labels(r.revision()), "cart", "pay", "istiod"),
		"spec": fields{"template": fields{"metadata": fields{"labels": r.podLabels()}, "spec": fields{
			"containers": []any{fields{"name": "discovery", "image": "pilot:1." + r.pick("30.1", "31.0")}}}}}}
}

func (r anyObject) gateway() (string, string, fields) {
	return "gateway.networking.k8s.io/v1", "Gateway", fields{
		"metadata": r.meta(r.labels([2]string{"istio.io/waypoint-for", r.pick("all", "workload", "none")}), "waypoint", "other"),
		"spec": fields{"gatewayClassName": r.pick("istio-waypoint", "istio", "mine"), "listeners": []any{fields{
			"name": "mesh", "port": 15008, "protocol": "HBONE", "allowedRoutes": fields{"namespaces": fields{"from": r.pick("All", "Same")}}}}}}
}

func (r anyObject) gatewayClass() (string, string, fields) {
	m := r.meta(fields{}, "istio-waypoint", "istio", "mine")
	delete(m, "namespace")
	return "gateway.networking.k8s.io/v1", "GatewayClass", fields{"metadata": m, "spec": fields{"controllerName": r.pick("istio.io/mesh-controller", "example.com/other")}}
}

func (r anyObject) route() (string, string, fields) {
	return "gateway.networking.k8s.io/v1", "HTTPRoute", fields{"metadata": r.meta(fields{}, "r", "s"), "spec": fields{
		"parentRefs": []any{fields{"group": "", "kind": "Service", "name": r.pick("cart", "pay")}},
		"rules":      []any{fields{"backendRefs": []any{fields{"name": r.pick("cart", "pay"), "namespace": r.namespace(), "port": 80}}}}}}
}

func (r anyObject) virtualService() (string, string, fields) {
	return "networking.istio.io/v1", "VirtualService", fields{"metadata": r.meta(fields{}, "v", "w"), "spec": fields{
		"hosts": []any{r.pick("cart", "pay", "pay.bank.svc.cluster.local")},
		"http":  []any{fields{"route": []any{fields{"destination": fields{"host": r.pick("cart", "cart.shop.svc.cluster.local")}}}}}}}
}

func (r anyObject) peerAuthentication() (string, string, fields) {
	spec := fields{"mtls": fields{"mode": r.pick("UNSET", "STRICT", "PERMISSIVE", "DISABLE")}}
	if r.Intn(2) == 0 {
		spec["selector"] = fields{"matchLabels": fields{"app": r.pick("cart", "pay")}}
		spec["portLevelMtls"] = fields{"8080": fields{"mode": r.pick("STRICT", "PERMISSIVE", "DISABLE")}}
	}
	return "security.istio.io/v1", "PeerAuthentication", fields{"metadata": r.meta(fields{}, "p", "q", "default"), "spec": spec}
}

func (r anyObject) authorization() (string, string, fields) {
	spec := fields{"action": r.pick("ALLOW", "DENY")}
	if r.Intn(2) == 0 {
		spec["targetRefs"] = []any{fields{"group": "", "kind": "Service", "name": r.pick("cart", "pay")},
			fields{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": r.pick("waypoint", "other")}}
	}
	return "security.istio.io/v1", "AuthorizationPolicy", fields{"metadata": r.meta(fields{}, "a", "b"), "spec": spec}
}

func (r anyObject) serviceEntry() (string, string, fields) {
	return "networking.istio.io/v1", "ServiceEntry", fields{"metadata": r.meta(r.labels(r.useWaypoint()), "cart", "ext"), "spec": fields{
		"hosts": []any{r.pick("ext.example.com", "pay.bank.svc.cluster.local")}, "endpoints": []any{fields{"address": "10.0.0.1"}},
		"ports": []any{fields{"number": 443, "name": "tls", "protocol": "TLS"}}}}
}

func (r anyObject) workloadEntry() (string, string, fields) {
	return "networking.istio.io/v1", "WorkloadEntry", fields{"metadata": r.meta(r.labels(r.useWaypoint(), r.revision()), "vm"),
		"spec": fields{"address": "10.0.0.2", "labels": fields{"app": r.pick("cart", "pay")}}}
}

func (r anyObject) config() (string, string, fields) {
	if r.Intn(3) == 0 {
		selectors := `[{"podSelector": {"matchLabels": {"app": "` + r.pick("cart", "pay") + `"}}, "namespaceSelector": {"matchLabels": {` + r.pick("", `"team": "web"`) + `}}}]`
		return "v1", "ConfigMap", fields{"metadata": r.meta(fields{}, "istio-cni-config"),
			"data": fields{"AMBIENT_ENABLEMENT_SELECTOR": selectors, "EXCLUDE_NAMESPACES": r.pick("", "shop", "bank,shop")}}
	}
	m := r.meta(fields{}, "istio", "istio-canary")
	return "v1", "ConfigMap", fields{"metadata": m, "data": fields{"mesh": "rootNamespace: " + r.namespace()}}
}
