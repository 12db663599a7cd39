package inventory

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

func TestCompletedBy(t *testing.T) {
	files, err := Files(FileOptions{Stdin: strings.NewReader(`
apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: {istio.io/use-waypoint: waypoint}
---
apiVersion: v1
kind: Service
metadata:
  name: cart
  namespace: shop
  annotations: {added: by-file}
  creationTimestamp: null
spec:
  selector: {app: basket}
  ports: [{name: http, port: 81}]
status: {written: by-hand}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: new, namespace: shop}
spec: {gatewayClassName: istio-waypoint}
`)}, "-")
	if err != nil {
		t.Fatal(err)
	}
	live := startAPIServer(t, map[string]string{
		"200 /apis/gateway.networking.k8s.io/v1beta1/gateways": `{"kind":"GatewayList","apiVersion":"gateway.networking.k8s.io/v1beta1","metadata":{},"items":[
			{"metadata":{"name":"waypoint","namespace":"shop"},"spec":{"gatewayClassName":"istio-waypoint"},"status":{"addresses":[]}}]}`,
	}).list(ListOptions{})
	before := contents(t, files, live)
	both := files.CompletedBy(live)
	if diff := cmp.Diff(before, contents(t, files, live)); diff != "" {
		t.Errorf("completing changed its inputs:\n%s", diff)
	}
	s := mesh.New(mesh.Options{}, both.Objects...)
	if s.Len() != len(both.Objects) || s.Len() != len(live.Objects)+1 {
		t.Errorf("%d objects of %d; the cluster has %d and the files add one", s.Len(), len(both.Objects), len(live.Objects))
	}

	// team came with a server-side apply, which takes it back; dataplane-mode was set by somebody with kubectl label.
	want := map[string]string{"istio.io/dataplane-mode": "ambient", "kubernetes.io/metadata.name": "shop", "istio.io/use-waypoint": "waypoint"}
	if diff := cmp.Diff(want, s.NamespaceLabels("shop")); diff != "" {
		t.Errorf("labels of the Namespace (-want +got):\n%s", diff)
	}
	cart := s.Get(mesh.Service, "shop", "cart")
	// owner came with kubectl apply, which takes it back.
	if diff := cmp.Diff(map[string]string{"prometheus.io/scrape": "true", "added": "by-file"}, cart.Annotations); diff != "" {
		t.Errorf("annotations of the Service (-want +got):\n%s", diff)
	}
	if spec := cart.Spec.(*mesh.ServiceSpec); spec.Selector["app"] != "basket" || spec.ClusterIP != "" || !cart.Live {
		t.Errorf("the Service: %+v live %v; its spec is the file's", spec, cart.Live)
	}
	if _, ok := cart.Content()["status"].(map[string]any)["conditions"]; !ok {
		t.Errorf("the Service's status is %v; it is the cluster's", cart.Content()["status"])
	}
	if mesh.Ready(s.Get(mesh.Gateway, "shop", "waypoint")) {
		t.Error("a Gateway without an address in the cluster is ready because a file wishes for it")
	}
	if !mesh.Ready(s.Get(mesh.Gateway, "shop", "new")) {
		t.Error("a Gateway that only a file has is not taken for ready")
	}
	if _, _, _, ok := both.Position(cart.Ref(), "spec.ports[0].port"); !ok {
		t.Error("the Service has lost its position")
	}
	if !both.FromFile(cart) || both.FromFile(s.Get(mesh.Pod, "shop", "cart-7d9c-x2")) {
		t.Error("what is from a file is mixed up")
	}
}

func contents(t *testing.T, inventories ...*Inventory) []string {
	t.Helper()
	var out []string
	for _, inv := range inventories {
		for _, o := range inv.Objects {
			raw, err := json.Marshal(o.Content())
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(raw))
		}
	}
	return out
}
