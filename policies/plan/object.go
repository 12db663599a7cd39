package plan

import (
	"maps"
	"slices"
	"strconv"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// What a waypoint can be for.
const (
	forServices  = "service"
	forWorkloads = "workload"
	forAll       = "all"
)

// defaultName is what istioctl calls a waypoint.
const defaultName = "waypoint"

// namespaceName is the label by which the API server names every Namespace. Tenants cannot set it.
const namespaceName = "kubernetes.io/metadata.name"

// gatewayManifest is a waypoint as `istioctl waypoint generate` writes it. Other namespaces may attach by name, never by
// a label that their owners can set.
func gatewayManifest(ns, name, traffic string, from []string) map[string]any {
	listener := map[string]any{"name": "mesh", "port": int64(15008), "protocol": "HBONE"}
	if others := slices.DeleteFunc(slices.Clone(from), func(n string) bool { return n == ns }); len(others) > 0 {
		names := []any{}
		for _, n := range slices.Compact(slices.Sorted(slices.Values(append(others, ns)))) {
			names = append(names, n)
		}
		listener["allowedRoutes"] = map[string]any{"namespaces": map[string]any{"from": "Selector", "selector": map[string]any{
			"matchExpressions": []any{map[string]any{"key": namespaceName, "operator": "In", "values": names}}}}}
	}
	return map[string]any{
		"apiVersion": mesh.Gateway.APIVersion(), "kind": mesh.Gateway.String(),
		"metadata": map[string]any{"name": name, "namespace": ns, "labels": map[string]any{label.IoIstioWaypointFor.Name: traffic}},
		"spec":     map[string]any{"gatewayClassName": mesh.WaypointClassName, "listeners": []any{listener}},
	}
}

func newGateway(ns, name, traffic string, from []string) *mesh.Object {
	return decode(gatewayManifest(ns, name, traffic, from))
}

// readyGateway is the stored Gateway as it will be when it is ready; a new one where there is none.
func readyGateway(s *mesh.Snapshot, ns, name, traffic, from string) *mesh.Object {
	stored := s.Get(mesh.Gateway, ns, name)
	if stored == nil {
		return newGateway(ns, name, traffic, []string{from})
	}
	content := maps.Clone(stored.Content)
	content["status"] = map[string]any{"addresses": []any{map[string]any{"type": "Hostname", "value": name + "." + ns}}}
	gw := *decode(content)
	gw.Namespace, gw.Live = stored.Namespace, stored.Live
	return &gw
}

// labelled is o with more labels, and without those named in remove.
func labelled(o *mesh.Object, labels map[string]string, remove ...string) *mesh.Object {
	out := *o
	out.Labels = maps.Clone(o.Labels)
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	for _, name := range remove {
		delete(out.Labels, name)
	}
	maps.Copy(out.Labels, labels)
	written := make(map[string]any, len(out.Labels))
	for k, v := range out.Labels {
		written[k] = v
	}
	metadata, _ := o.Content["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	metadata["labels"] = written
	out.Content = maps.Clone(o.Content)
	out.Content["metadata"] = metadata
	return &out
}

// decode panics on what is no object: it was one before, or was made here.
func decode(content map[string]any) *mesh.Object {
	o, err := mesh.Decode(content)
	if err != nil {
		panic("plan: " + err.Error())
	}
	return o
}

// usable is whether a Gateway is a waypoint of Istio's own, ready or not. Nothing is ever planned onto another.
func usable(s *mesh.Snapshot, gw *mesh.Object) bool {
	return s.ClassOf(gw) == mesh.ClassWaypoint && !s.Sandwiched(gw)
}

// freeName is a name for a new waypoint of the namespace: istiod makes a Deployment, a Service and a ServiceAccount of
// the same name, and takes over none that it did not make.
func freeName(s *mesh.Snapshot, ns string) string {
	for n := 1; ; n++ {
		name := defaultName
		if n > 1 {
			name += "-" + strconv.Itoa(n)
		}
		taken := slices.ContainsFunc([]mesh.Kind{mesh.Gateway, mesh.Deployment, mesh.Service, mesh.ServiceAccount}, func(k mesh.Kind) bool {
			o := s.Get(k, ns, name)
			return o != nil && !mesh.ManagedByGateway(o)
		})
		if !taken {
			return name
		}
	}
}
