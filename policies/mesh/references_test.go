package mesh_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestAskingFor: a label asks for a waypoint on what istiod reads it of, and on nothing that only has it, as a copy of a Service's.
func TestAskingFor(t *testing.T) {
	s := mesh.New(mesh.Options{}, decode(t, `
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: shop}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/use-waypoint: waypoint}}}
---
{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: cart-x, namespace: shop, labels: {kubernetes.io/service-name: cart, istio.io/use-waypoint: waypoint}}, addressType: IPv4, endpoints: []}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: labelled, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}, spec: {template: {metadata: {labels: {app: a}}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: template, namespace: shop}, spec: {template: {metadata: {labels: {app: b, istio.io/use-waypoint: waypoint}}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: canary, namespace: shop, labels: {istio.io/use-waypoint: other, istio.io/use-waypoint-canary: waypoint}}}
---
{apiVersion: v1, kind: Service, metadata: {name: out, namespace: shop, labels: {istio.io/use-waypoint: none}}}
`)...)
	var got []string
	for _, o := range s.AskingFor(s.Get(mesh.Gateway, "shop", "waypoint")) {
		got = append(got, o.String())
	}
	want := []string{"Namespace shop", "Deployment shop/template", "Service shop/canary", "Service shop/cart"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who asks (-want +got):\n%s", diff)
	}
}
