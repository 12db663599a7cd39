package istiod

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const rootNamespace = "istio-system"

type (
	m = map[string]any
	l = []any
)

// generator makes objects, the same ones for the same seed.
type generator struct {
	*rand.Rand
	seed    uint64
	objects []*unstructured.Unstructured
	spaces  []string
	n       int // makes names unique
}

// Generate makes the objects of one mesh, those first that others refer to.
func Generate(seed uint64, namespaces int) []*unstructured.Unstructured {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)), seed: seed}
	for i := range namespaces {
		g.spaces = append(g.spaces, fmt.Sprintf("s%d-%02d", seed, i))
	}
	g.classes()
	for _, ns := range g.spaces {
		g.namespace(ns)
	}
	all := append(slices.Clone(g.spaces), rootNamespace)
	for _, ns := range all {
		g.parameters(ns)
		g.waypoints(ns)
		g.services(ns)
		g.workloads(ns)
	}
	for _, ns := range all {
		for range 24 + g.IntN(16) {
			g.authorizationPolicy(ns)
		}
		g.peerAuthentications(ns)
	}
	for _, ns := range all {
		g.routes(ns)
		g.grants(ns)
	}
	g.waypointConfig()
	return g.objects
}

func (g *generator) add(apiVersion, kind, ns, name string, labels, annotations m, content m) *unstructured.Unstructured {
	meta := m{"name": name}
	if ns != "" {
		meta["namespace"] = ns
	}
	if len(labels) > 0 {
		meta["labels"] = labels
	}
	if len(annotations) > 0 {
		meta["annotations"] = annotations
	}
	o := m{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
	for k, v := range content {
		o[k] = v
	}
	u := &unstructured.Unstructured{Object: o}
	g.objects = append(g.objects, u)
	return u
}

func (g *generator) name(prefix string) string {
	g.n++
	return fmt.Sprintf("%s-%d", prefix, g.n)
}

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// chance is true in one of n cases.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

func (g *generator) space() string { return pick(g, g.spaces...) }

// classes are GatewayClasses of others than istiod, and one that istiod makes waypoints of without its
// being called istio-waypoint.
func (g *generator) classes() {
	for _, c := range []struct {
		name, controller string
		labels           m
	}{
		{"custom-waypoint", "istio.io/mesh-controller", nil},
		{"foreign", "example.com/gateway", nil},
		{"foreign-workload", "example.com/gateway", m{"istio.io/waypoint-for": "workload"}},
		{"istio-agentgateway-waypoint", "istio.io/agentgateway-waypoint-controller", nil},
	} {
		g.add("gateway.networking.k8s.io/v1", "GatewayClass", "", c.name, c.labels, nil, m{"spec": m{"controllerName": c.controller}})
	}
	// istiod as Helm installs it, so that what it runs with can be read from the cluster.
	g.add("apps/v1", "Deployment", rootNamespace, "istiod", m{"app": "istiod", "istio.io/rev": "default"}, nil, m{"spec": m{
		"replicas": int64(0), "selector": m{"matchLabels": m{"app": "istiod"}}, "template": m{
			"metadata": m{"labels": m{"app": "istiod"}}, "spec": m{"containers": l{m{"name": "discovery", "image": "istio/pilot:1.32.0"}}}}}})
}

func (g *generator) namespace(ns string) {
	labels := m{"team": pick(g, "a", "b")}
	switch g.IntN(8) {
	case 0:
	case 1:
		labels["istio.io/dataplane-mode"] = "none"
	case 2:
		labels["istio-injection"] = "enabled"
	case 3:
		labels["istio-injection"], labels["istio.io/dataplane-mode"] = "enabled", "ambient"
	default:
		labels["istio.io/dataplane-mode"] = "ambient"
	}
	if !g.chance(3) {
		g.useWaypoint(labels)
	}
	if g.chance(6) {
		labels["istio.io/ingress-use-waypoint"] = pick(g, "true", "false", "TRUE", "1", "yes")
	}
	g.add("v1", "Namespace", "", ns, labels, g.canary(labels), nil)
}

// waypointNames are what Gateways are called, so that a label often names one that is there.
var waypointNames = []string{"waypoint", "remote", "waypoint", "waypoint", "remote", "other", "all", "unready", "custom", "gateway", "foreign", "absent", "none", ""}

// useWaypoint labels an object with the waypoint that it asks for.
func (g *generator) useWaypoint(labels m) {
	labels["istio.io/use-waypoint"] = pick(g, waypointNames...)
	if g.chance(3) {
		labels["istio.io/use-waypoint-namespace"] = g.space()
	} else if g.chance(40) {
		labels["istio.io/use-waypoint-namespace"] = ""
	}
}

// canary asks for a second waypoint; its weight is an annotation.
func (g *generator) canary(labels m) m {
	if !g.chance(4) {
		return nil
	}
	labels["istio.io/use-waypoint-canary"] = pick(g, append(waypointNames[:10:10], "none", "", "remote", "all", "other", "remote", "all")...)
	if g.chance(3) {
		labels["istio.io/use-waypoint-canary-namespace"] = g.space()
	}
	if g.chance(6) {
		return nil
	}
	return m{"istio.io/use-waypoint-canary-weight": pick(g, "0", "10", "50", "75", "100", "101", "-1", "ten", "", "+7")}
}
