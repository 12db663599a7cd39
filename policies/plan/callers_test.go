package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

func deployment(ns, name string, labels ...string) string {
	all := strings.Join(append(labels, "app: "+name), ", ")
	return fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s, namespace: %s}, spec: {selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {%[3]s}}, spec: {containers: [{name: a, image: a}]}}}}`, name, ns, all)
}

// TestManyCallers: of however many clients the one is found that would not get to the waypoint.
func TestManyCallers(t *testing.T) {
	more := []string{deployment("shop", "cart"), `{apiVersion: v1, kind: Namespace, metadata: {name: front, labels: {istio.io/dataplane-mode: ambient}}}`,
		`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: front}, spec: {podSelector: {matchLabels: {app: z}}, egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: cart}}}]}]}}`}
	for i := range 2000 {
		more = append(more, deployment("shop", fmt.Sprint("a", i)), deployment("front", fmt.Sprint("a", i)))
	}
	p := Make(two(append(more, deployment("front", "z"))...), Settings{}, nil)
	if !slices.ContainsFunc(p.Blocked, func(b Blocked) bool {
		return strings.Contains(b.Why, "NetworkPolicy front/np keeps Deployment front/z, which gets to Service shop/cart now")
	}) {
		t.Errorf("blocked: %v", p.Blocked)
	}
}

// TestKindsOfCallers: one of each kind says what all of them do. Over random meshes what is found of kinds is compared with what is
// found of each pod of the mesh.
func TestKindsOfCallers(t *testing.T) {
	found := map[bool]int{}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		pick := func(of ...string) string { return of[r.IntN(len(of))] }
		spaces := []string{"shop", "front", "back", "side"}
		objects := []string{"{apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}"}
		for _, ns := range spaces {
			objects = append(objects, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {istio.io/dataplane-mode: ambient, team: %s}}}`, ns, pick("a", "b", "c")))
			for i := range 1 + r.IntN(3) {
				objects = append(objects, deployment(ns, fmt.Sprint(pick("cart", "web"), i), "tier: "+pick("x", "v", "w")))
			}
		}
		objects = append(objects, deployment("shop", "cart"), `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}`)
		selector := func() string {
			return pick("{}", "{matchLabels: {tier: x}}", "{matchExpressions: [{key: tier, operator: NotIn, values: [v]}]}", "{matchLabels: {app: cart}}",
				"{matchLabels: {gateway.networking.k8s.io/gateway-name: waypoint}}", "{matchExpressions: [{key: tier, operator: Exists}]}")
		}
		peer := func() string {
			return pick("{podSelector: "+selector()+"}", "{namespaceSelector: {}, podSelector: "+selector()+"}", "{namespaceSelector: {matchLabels: {team: a}}}",
				"{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: ["+pick(spaces...)+"]}]}}", "{ipBlock: {cidr: 10.0.0.0/8}}")
		}
		for i := range 1 + r.IntN(5) {
			objects = append(objects, fmt.Sprintf("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np-%d, namespace: %s}, spec: {podSelector: %s, policyTypes: [%s], ingress: [{from: [%s, %s]}], egress: [{to: [%s, %s]}]}}",
				i, pick(spaces...), selector(), pick("Ingress", "Egress", "Ingress, Egress"), peer(), peer(), peer(), peer()))
		}
		var parsed []*mesh.Object
		for _, text := range objects {
			parsed = append(parsed, parse(text))
		}
		s := mesh.New(mesh.Options{}, parsed...)
		m := maker{snapshot: s, view: policies.NewView(s)}
		pod := s.WaypointPod(newGateway("shop", "waypoint", forServices, nil))
		behind, _ := s.Backends(s.Get(mesh.Service, "shop", "cart"))
		_, by := m.cutClient(s, pod, behind)
		one := cutOne(s, pod, behind)
		if found[one]++; (by != nil) != one {
			t.Errorf("seed %d: of kinds it is found %v, of all pods %v:\n%s", seed, by != nil, one, strings.Join(objects, "\n---\n"))
		}
	}
	if found[true] < 20 || found[false] < 20 {
		t.Errorf("how often somebody is cut off: %v", found)
	}
}

// cutOne is whether any pod of the mesh gets to those behind and not to the waypoint.
func cutOne(s *mesh.Snapshot, waypoint *mesh.Workload, behind []*mesh.Workload) bool {
	for ns := range s.Namespaces() {
		for _, client := range s.Workloads(ns) {
			if slices.Contains(behind, client) || cutBy(s, mesh.Hop{From: client, To: waypoint, Port: hbonePort}) == nil {
				continue
			}
			if slices.ContainsFunc(behind, func(w *mesh.Workload) bool {
				stops, _ := s.Cut(mesh.Hop{From: client, To: w, Port: hbonePort})
				return len(stops) == 0
			}) {
				return true
			}
		}
	}
	return false
}
