package plan

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// large is a mesh of 2,000 namespaces, each with five Services and their Deployments, an ALLOW and a DENY of clients at the pods of one,
// two policies that need nothing, and NetworkPolicies: one that lets in HBONE from everywhere, and one that lets out HBONE, DNS and what
// goes to istiod. Each n-th has a DENY of a method at that Service, which needs a waypoint.
func large(each int) *mesh.Snapshot {
	var out []*mesh.Object
	add := func(format string, args ...any) { out = append(out, decode(yamlOf(fmt.Sprintf(format, args...)))) }
	for i := range 2000 {
		ns := fmt.Sprintf("team-%04d", i)
		add(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {istio.io/dataplane-mode: ambient}}}`, ns)
		for s := range 5 {
			add(`{apiVersion: v1, kind: Service, metadata: {name: s%d, namespace: %s}, spec: {clusterIP: 10.0.0.1, selector: {app: s%d}, ports: [{name: http, port: 80, targetPort: 8080}]}}`, s, ns, s)
			add(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: s%d, namespace: %s}, spec: {selector: {matchLabels: {app: s%d}}, template: {metadata: {labels: {app: s%d}}, spec: {containers: [{name: a, image: a, ports: [{containerPort: 8080}]}]}}}}`, s, ns, s, s)
		}
		add(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: in, namespace: %s}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 15008, protocol: TCP}], from: [{namespaceSelector: {}}]}]}}`, ns)
		add(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: out, namespace: %s}, spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 15008, protocol: TCP}, {port: 53, protocol: UDP}], to: [{namespaceSelector: {}}]}, {ports: [{port: 15012, protocol: TCP}], to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}}]}]}}`, ns)
		policy := func(name, spec string) {
			add(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: %s, namespace: %s}, spec: %s}`, name, ns, spec)
		}
		if i%each == 0 {
			policy("l7", `{action: DENY, targetRefs: [{group: "", kind: Service, name: s0}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}`)
		}
		policy("allow", `{selector: {matchLabels: {app: s0}}, rules: [{from: [{source: {namespaces: [front]}}]}]}`)
		policy("deny", `{action: DENY, selector: {matchLabels: {app: s0}}, rules: [{from: [{source: {principals: [cluster.local/ns/dev/sa/dev]}}]}]}`)
		policy("other", `{selector: {matchLabels: {app: s1}}, rules: [{from: [{source: {namespaces: [front]}}]}]}`)
		policy("ports", `{action: DENY, selector: {matchLabels: {app: s2}}, rules: [{to: [{operation: {ports: ["9090"]}}]}]}`)
	}
	return mesh.New(mesh.Options{}, out...)
}

// carriedOut is the mesh once a plan is carried out, and what is managed then.
func carriedOut(s *mesh.Snapshot, p Plan) (*mesh.Snapshot, Managed) {
	managed := Managed{}
	for _, w := range p.Waypoints {
		if w.Existing {
			continue
		}
		managed[w.Ref()] = []string{ManagedByLabel}
		s = s.With(decode(sealed(w.Manifest)))
	}
	for _, own := range p.Policies {
		managed[own.Ref()] = []string{ManagedByLabel}
		s = s.With(decode(sealed(own.Manifest)))
	}
	for _, l := range p.Labels {
		o := labelled(find(s, l.On), l.labels())
		o.Annotations = map[string]string{ProfileAnnotation: "default"}
		managed[canonical(l.On)] = slices.Sorted(maps.Keys(l.labels()))
		s = s.With(o)
	}
	return s, managed
}

// processor reports the processor time of an operation, which other work on the machine does not lengthen as it does wall time.
func processor(b *testing.B) func() {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64((used()-start).Milliseconds())/float64(b.N), "cpu-ms/op") }
}

var provision = Settings{Default: Setting{Mode: Provision, Profile: Profile{Name: "default"}}}

// BenchmarkMake: a waypoint, two policies and a label in each of 2,000 namespaces, planned from nothing.
func BenchmarkMake(b *testing.B) {
	s := large(1)
	b.ReportAllocs()
	defer processor(b)()
	for b.Loop() {
		if p := Make(policies.NewView(s), provision, nil); len(p.Waypoints) != 2000 || len(p.Policies) != 6000 {
			b.Fatalf("%d waypoints, %d policies, %d blocked", len(p.Waypoints), len(p.Policies), len(p.Blocked))
		}
	}
}

// BenchmarkMakeTenth: the same in a tenth of the namespaces.
func BenchmarkMakeTenth(b *testing.B) {
	s := large(10)
	b.ReportAllocs()
	defer processor(b)()
	for b.Loop() {
		if p := Make(policies.NewView(s), provision, nil); len(p.Waypoints) != 200 || len(p.Policies) != 600 {
			b.Fatalf("%d waypoints, %d policies", len(p.Waypoints), len(p.Policies))
		}
	}
}

// BenchmarkMakeCarriedOut: the same when all of it is there.
func BenchmarkMakeCarriedOut(b *testing.B) {
	s := large(1)
	s, managed := carriedOut(s, Make(policies.NewView(s), provision, nil))
	b.ReportAllocs()
	defer processor(b)()
	for b.Loop() {
		if p := Make(policies.NewView(s), provision, managed); len(p.Waypoints) != 2000 {
			b.Fatalf("%d waypoints", len(p.Waypoints))
		}
	}
}

// BenchmarkNext: what is left to do when all of it is there.
func BenchmarkNext(b *testing.B) {
	s := large(1)
	s, managed := carriedOut(s, Make(policies.NewView(s), provision, nil))
	view := policies.NewView(s)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := World{View: view, Settings: provision, Plan: Make(view, provision, managed), Now: now,
		Evidence: Evidence{Managed: managed, Convergence: Convergence{Acknowledged: now, Since: now.Add(-time.Hour)}}}
	b.ReportAllocs()
	defer processor(b)()
	for b.Loop() {
		if p := Next(w); len(p) != 2000 || !p.Done() {
			b.Fatalf("%d waypoints, %v, %v", len(p), p.Steps()[:1], p[0])
		}
	}
}

// BenchmarkNextUnneeded: the same when nothing needs any of it since long, and each waypoint stays for what names the class of waypoints.
func BenchmarkNextUnneeded(b *testing.B) {
	s := large(1)
	s, managed := carriedOut(s, Make(policies.NewView(s), provision, nil))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	with := []*mesh.Object{parse(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: class, namespace: istio-system}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}], rules: [{to: [{operation: {paths: [/admin]}}]}]}}`)}
	var without []*mesh.Object
	for gw := range s.All(mesh.Gateway) {
		ready := readyGateway(s, gw.Namespace, gw.Name, forServices, gw.Namespace)
		with = append(with, annotated(ready, UnneededSinceAnnotation, instant(now.Add(-time.Hour))))
		without = append(without, s.Get(mesh.AuthorizationPolicy, gw.Namespace, "l7"))
	}
	view := policies.NewView(s.Edited(with, without))
	w := World{View: view, Settings: provision, Plan: Make(view, provision, managed), Now: now,
		Evidence: Evidence{Managed: managed, Convergence: Convergence{Acknowledged: now, Since: now.Add(-time.Hour)}}}
	b.ReportAllocs()
	defer processor(b)()
	for b.Loop() {
		if p := Next(w); len(p) != 2000 || len(p[0].Stopped) != 1 || !p.Done() {
			b.Fatalf("%d waypoints, %v", len(p), says(p[:1]))
		}
	}
}

// BenchmarkForesee: what admission asks about one policy, in a mesh of 2,000 namespaces.
func BenchmarkForesee(b *testing.B) {
	s := large(1)
	defer processor(b)()
	b.ReportAllocs()
	for b.Loop() {
		if p, _ := Foresee(policies.NewView(s), provision, nil, []string{"team-0007"}, nil); len(p.Waypoints) != 1 {
			b.Fatalf("waypoints: %v", p.Waypoints)
		}
	}
}
