// Package filemesh writes meshes of any size as manifests, for benchmarks and load tests. The same
// size and seed give the same bytes.
package filemesh

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
)

// Options size a mesh.
type Options struct {
	// Policies is the number of AuthorizationPolicies: half by selector, half by targetRefs, a quarter
	// with HTTP rules. There is one namespace for 50 of them, with 10 Services, ServiceAccounts and
	// Pods each, and a waypoint in every third.
	Policies int
	Seed     uint64
	// PerNamespace is how many of the policies a namespace has; 0 means 50.
	PerNamespace int
	// Pods is how many stand behind each Service; 0 means one.
	Pods int
}

const (
	policiesPerNamespace = 50
	// ServicesPerNamespace is how many Services a namespace has.
	ServicesPerNamespace = 10
)

// Namespaces is how many there are.
func (o Options) Namespaces() int {
	if o.PerNamespace == 0 {
		o.PerNamespace = policiesPerNamespace
	}
	return max(1, o.Policies/o.PerNamespace)
}

// Write writes the mesh as a YAML stream. 5,000 policies make 8,134 objects.
func Write(w io.Writer, o Options) error {
	b := bufio.NewWriter(w)
	g := generator{out: b, random: rand.New(rand.NewPCG(o.Seed, 1)), namespaces: o.Namespaces(), pods: max(1, o.Pods)}
	for ns := range g.namespaces {
		g.namespace(ns)
	}
	for i := range o.Policies {
		g.policy(i)
	}
	return b.Flush()
}

type generator struct {
	out        io.Writer
	random     *rand.Rand
	namespaces int
	pods       int // behind each Service
}

func (g *generator) printf(format string, args ...any) { fmt.Fprintf(g.out, format, args...) }

// HasWaypoint is whether a namespace has a waypoint, to which its label binds it.
func HasWaypoint(n int) bool { return n%3 == 0 }

// ClusterIP is the address of a Service.
func ClusterIP(n, s int) string { return fmt.Sprintf("10.%d.%d.%d", 96+n/256%32, n%256, s) }

func (g *generator) namespace(n int) {
	waypoint := HasWaypoint(n)
	g.printf("---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: team-%d\n  labels:\n    istio.io/dataplane-mode: ambient\n", n)
	if waypoint {
		g.printf("    istio.io/use-waypoint: waypoint\n")
	}
	for s := range ServicesPerNamespace {
		g.service(n, s)
	}
	if waypoint {
		g.printf(`---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: waypoint
  namespace: team-%d
spec:
  gatewayClassName: istio-waypoint
  listeners:
  - name: mesh
    port: 15008
    protocol: HBONE
status:
  addresses:
  - type: Hostname
    value: waypoint.team-%d.svc.cluster.local
`, n, n)
	}
}

func (g *generator) service(n, s int) {
	g.printf(`---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: app-%[2]d
  namespace: team-%[1]d
---
apiVersion: v1
kind: Service
metadata:
  name: app-%[2]d
  namespace: team-%[1]d
spec:
  clusterIP: %[3]s
  selector:
    app: app-%[2]d
  ports:
  - name: http
    port: 80
    protocol: TCP
    targetPort: 8080
`, n, s, ClusterIP(n, s))
	for p := range g.pods {
		g.pod(n, s, p)
	}
}

func (g *generator) pod(n, s, p int) {
	g.printf(`---
apiVersion: v1
kind: Pod
metadata:
  name: app-%[2]d-%[3]d
  namespace: team-%[1]d
  labels:
    app: app-%[2]d
  annotations:
    ambient.istio.io/redirection: enabled
spec:
  serviceAccountName: app-%[2]d
  containers:
  - name: app
    image: registry.example.com/app:1
    ports:
    - containerPort: 8080
status:
  phase: Running
  podIP: 10.%[4]d.%[5]d.%[6]d
`, n, s, p, 128+n/256%64+p*2%64, n%256, s+p*10%240)
}

func (g *generator) policy(i int) {
	ns, app := i%g.namespaces, g.random.IntN(ServicesPerNamespace)
	g.printf("---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: policy-%d\n  namespace: team-%d\nspec:\n", i, ns)
	action := "ALLOW"
	if g.random.IntN(4) == 0 {
		action = "DENY"
	}
	g.printf("  action: %s\n", action)
	if i%2 == 0 {
		g.printf("  selector:\n    matchLabels:\n      app: app-%d\n", app)
	} else {
		g.printf("  targetRefs:\n  - group: \"\"\n    kind: Service\n    name: app-%d\n", app)
	}
	g.printf("  rules:\n  - from:\n    - source:\n        principals:\n        - cluster.local/ns/team-%d/sa/app-%d\n",
		g.random.IntN(g.namespaces), g.random.IntN(ServicesPerNamespace))
	switch {
	case i%4 == 1:
		g.printf("    to:\n    - operation:\n        methods:\n        - GET\n        paths:\n        - /api/v%d/*\n", g.random.IntN(9))
	case g.random.IntN(2) == 0 && i%2 == 0:
		g.printf("    to:\n    - operation:\n        ports:\n        - \"8080\"\n")
	}
}
