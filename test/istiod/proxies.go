package istiod

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"istio.io/api/label"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/oracle"
)

// proxies are what istiod sends to the waypoints of a mesh: to the pods of those that it deployed, and of
// others to a pod that does not run, which istiod knows by the Service before it.
func (w *world) proxies(ctx context.Context, s *mesh.Snapshot) ([]oracle.Proxy, error) {
	pods, err := w.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).
		List(ctx, metav1.ListOptions{LabelSelector: label.GatewayManaged.Name})
	if err != nil {
		return nil, err
	}
	var asked []cluster.Proxy
	for gw := range s.All(mesh.Gateway) {
		if !knownByService(s, gw) {
			continue
		}
		n := len(asked)
		p := cluster.Proxy{Namespace: gw.Namespace, Name: gw.Name, Pod: gw.Name + "-0", IP: fmt.Sprintf("10.203.%d.%d", n/250, 1+n%250)}
		if pod, ip := runningPod(pods.Items, gw); ip != "" {
			p.Pod, p.IP = pod, ip
		}
		asked = append(asked, p)
	}
	raw, err := w.WaypointConfig(ctx, asked)
	if err != nil {
		return nil, err
	}
	var out []oracle.Proxy
	return out, json.Unmarshal(raw, &out)
}

// runningPod is a pod that istiod deployed for a Gateway.
func runningPod(pods []unstructured.Unstructured, gw *mesh.Object) (name, ip string) {
	for i := range pods {
		o := &pods[i]
		if o.GetNamespace() != gw.Namespace || o.GetLabels()[label.IoK8sNetworkingGatewayGatewayName.Name] != gw.Name {
			continue
		}
		if ip, _, _ := unstructured.NestedString(o.Object, "status", "podIP"); ip != "" {
			return o.GetName(), ip
		}
	}
	return "", ""
}

// knownByService is whether istiod takes a waypoint's proxy for that of the Gateway: it goes by the addresses
// of the Services over the proxy (pilot/pkg/model/service.go WaypointKeyForProxy), so that the Gateway's must
// be among them, and no other Gateway's.
func knownByService(s *mesh.Snapshot, gw *mesh.Object) bool {
	if class := s.ClassOf(gw); class != mesh.ClassWaypoint && class != mesh.ClassRemote || s.Sandwiched(gw) {
		return false // what runs it is not istiod's to configure
	}
	var addresses []string
	for _, svc := range s.List(mesh.Service, gw.Namespace) {
		spec := svc.Spec.(*mesh.ServiceSpec)
		if len(spec.Selector) == 1 && spec.Selector[label.IoK8sNetworkingGatewayGatewayName.Name] == gw.Name {
			addresses = append(addresses, append(s.HostsOf(svc), spec.ClusterIP)...)
		}
	}
	among := func(a mesh.Address) bool { return slices.Contains(addresses, a.Value) }
	for other := range s.All(mesh.Gateway) {
		if other != gw && slices.ContainsFunc(other.Spec.(*mesh.GatewayBody).Status.Addresses, among) {
			return false
		}
	}
	status := gw.Spec.(*mesh.GatewayBody).Status.Addresses
	return len(status) > 0 && !slices.ContainsFunc(status, func(a mesh.Address) bool { return !among(a) })
}
