package policies

import (
	"fmt"
	"testing"

	"github.com/waywarden/waywarden/policies/mesh"
)

// trafficMesh is n namespaces with ten Services, VirtualServices for hosts that exist and for hosts
// that do not, DestinationRules and ServiceEntries each, half of them behind a waypoint, and one
// DestinationRule for all of them.
func trafficMesh(b *testing.B, n int) (*mesh.Snapshot, []*mesh.Object) {
	var all, traffic []*mesh.Object
	add := func(apiVersion, kind, ns, name string, labels, spec map[string]any) {
		o, err := mesh.Decode(map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"namespace": ns, "name": name, "labels": labels}, "spec": spec})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, o)
		if o.Kind.IsPolicy() {
			traffic = append(traffic, o)
		}
	}
	const networking = "networking.istio.io/v1"
	for i := range n {
		ns := fmt.Sprintf("ns-%03d", i)
		labels := map[string]any{"istio.io/dataplane-mode": "ambient"}
		if i%2 == 0 {
			labels["istio.io/use-waypoint"] = "waypoint"
			add("gateway.networking.k8s.io/v1", "Gateway", ns, "waypoint", nil, map[string]any{"gatewayClassName": "istio-waypoint"})
		}
		add("v1", "Namespace", "", ns, labels, nil)
		for j := range 10 {
			name := fmt.Sprintf("svc-%d", j)
			add("v1", "Service", ns, name, nil, map[string]any{"clusterIP": "10.0.0.1", "ports": []any{map[string]any{"name": "http", "port": 80}}})
			for _, host := range []string{name, fmt.Sprintf("gone-%d-%d.example.com", i, j)} {
				add(networking, "VirtualService", ns, host, nil, map[string]any{"hosts": []any{host},
					"http": []any{map[string]any{"route": []any{map[string]any{"destination": map[string]any{"host": host}}}}}})
			}
			add(networking, "DestinationRule", ns, name, nil, map[string]any{"host": name, "trafficPolicy": map[string]any{"outlierDetection": map[string]any{}}})
			add(networking, "ServiceEntry", ns, name, nil, map[string]any{"hosts": []any{fmt.Sprintf("api-%d-%d.example.org", i, j)}, "resolution": "DNS"})
		}
	}
	add(networking, "DestinationRule", "istio-system", "all", nil, map[string]any{"host": "*.cluster.local"})
	return mesh.New(mesh.Options{}, all...), traffic
}

func BenchmarkTrafficEffects(b *testing.B) {
	for _, n := range []int{25, 250} {
		s, traffic := trafficMesh(b, n)
		b.Run(fmt.Sprintf("objects-%d", len(traffic)), func(b *testing.B) {
			for b.Loop() {
				view := NewView(s)
				for _, o := range traffic {
					view.Effects(o)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(traffic)), "µs/object")
		})
	}
}
