//go:build cluster

package istiod

import (
	"testing"
	"time"

	"github.com/waywarden/waywarden/test/cluster"
)

const twoHosts = `
apiVersion: v1
kind: Namespace
metadata: {name: j-infra}
---
apiVersion: v1
kind: Service
metadata: {name: remote-proxy, namespace: j-infra}
spec: {clusterIP: 10.96.0.78, selector: {gateway.networking.k8s.io/gateway-name: remote}, ports: [{name: mesh, port: 15008, appProtocol: hbone}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: remote, namespace: j-infra}
spec:
  gatewayClassName: istio-remote
  addresses: [{type: IPAddress, value: 10.96.0.78}]
  listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]
---
apiVersion: v1
kind: Namespace
metadata: {name: j-shop, labels: {istio.io/use-waypoint: remote, istio.io/use-waypoint-namespace: j-infra}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay, namespace: j-shop}
spec: {hosts: [pay.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: j-bank, labels: {istio.io/use-waypoint: remote, istio.io/use-waypoint-namespace: j-infra}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay, namespace: j-bank}
spec: {hosts: [pay.example.com], resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}
`

// TestSharedHost shows the known difference that generated meshes seldom do, and no other.
func TestSharedHost(t *testing.T) {
	w := start(t)
	objects, err := cluster.Objects([]byte(twoHosts))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.applyInTurn(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
	if err := w.settle(t.Context(), 2*time.Second, time.Minute); err != nil {
		t.Fatal(err)
	}
	r, err := w.record(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, result := range r.All() {
		for _, d := range result.Differences {
			t.Log(d)
			if name := explained(found{r, d, w.history}); name != sharedHost {
				t.Errorf("%s\nis explained by %q", d, name)
			}
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("the known difference %q was seen %d times, want once: of two ServiceEntries one has no chain", sharedHost, shown)
	}
}
