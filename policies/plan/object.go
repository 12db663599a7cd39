package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"

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

// gatewayManifest is a waypoint as `istioctl waypoint generate` writes it, with what its profile adds. Other namespaces may
// attach by name, never by a label that their owners can set.
func gatewayManifest(w *Waypoint) map[string]any {
	listener := map[string]any{"name": "mesh", "port": int64(15008), "protocol": "HBONE"}
	if others := slices.DeleteFunc(slices.Clone(w.from), func(n string) bool { return n == w.Namespace }); len(others) > 0 {
		names := []any{}
		for _, n := range slices.Compact(slices.Sorted(slices.Values(append(others, w.Namespace)))) {
			names = append(names, n)
		}
		listener["allowedRoutes"] = map[string]any{"namespaces": map[string]any{"from": "Selector", "selector": map[string]any{
			"matchExpressions": []any{map[string]any{"key": namespaceName, "operator": "In", "values": names}}}}}
	}
	spec := map[string]any{"gatewayClassName": cmp.Or(w.class, w.profile.GatewayClassName, mesh.WaypointClassName), "listeners": []any{listener}}
	infrastructure := map[string]any{}
	if len(w.profile.Labels) > 0 {
		infrastructure["labels"] = anyMap(w.profile.Labels)
	}
	if len(w.profile.Annotations) > 0 {
		infrastructure["annotations"] = anyMap(w.profile.Annotations)
	}
	if len(w.profile.Parameters) > 0 {
		infrastructure["parametersRef"] = map[string]any{"group": "", "kind": mesh.ConfigMap.String(), "name": w.parameters()}
	}
	if len(infrastructure) > 0 {
		spec["infrastructure"] = infrastructure
	}
	metadata := map[string]any{"name": w.Name, "namespace": w.Namespace, "labels": map[string]any{label.IoIstioWaypointFor.Name: w.For}}
	var annotations map[string]string
	if len(w.places) > 0 {
		annotations = map[string]string{PlaceAnnotation: strings.Join(w.places, ",")}
	}
	w.sign(metadata, annotations)
	return map[string]any{"apiVersion": mesh.Gateway.APIVersion(), "kind": mesh.Gateway.String(), "metadata": metadata, "spec": spec}
}

// parametersManifest is the ConfigMap that a waypoint's Gateway refers to; nil where its profile has no parameters.
func parametersManifest(w *Waypoint) map[string]any {
	if len(w.profile.Parameters) == 0 {
		return nil
	}
	metadata := map[string]any{"name": w.parameters(), "namespace": w.Namespace}
	w.sign(metadata, map[string]string{WaypointAnnotation: w.Namespace + "/" + w.Name})
	return map[string]any{"apiVersion": mesh.ConfigMap.APIVersion(), "kind": mesh.ConfigMap.String(), "metadata": metadata, "data": anyMap(w.profile.Parameters)}
}

func (w *Waypoint) parameters() string { return short(w.Name+"-parameters", maxName) }

// sign marks the metadata of what Waywarden makes itself. What is only proposed, for people to commit, is theirs.
func (w *Waypoint) sign(metadata map[string]any, annotations map[string]string) {
	if w.mode != Provision {
		return
	}
	sign(metadata, nameOf(w.profile), annotations)
}

func sign(metadata map[string]any, profile string, annotations map[string]string) {
	labels, _ := metadata["labels"].(map[string]any)
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]any{}
	}
	labels[ManagedByLabel] = ManagedBy
	all := anyMap(annotations)
	all[ProfileAnnotation] = profile
	metadata["labels"], metadata["annotations"] = labels, all
}

func anyMap(in map[string]string) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		out[k] = v
	}
	return out
}

func newGateway(ns, name, traffic string, from []string) *mesh.Object {
	return decode(gatewayManifest(&Waypoint{Namespace: ns, Name: name, For: traffic, from: from}))
}

// readyGateway is the stored Gateway as it will be when it is ready; a new one where there is none.
func readyGateway(s *mesh.Snapshot, ns, name, traffic, from string) *mesh.Object {
	stored := s.Get(mesh.Gateway, ns, name)
	if stored == nil {
		return newGateway(ns, name, traffic, []string{from})
	}
	content := maps.Clone(stored.Content())
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
	content := o.Content()
	metadata, _ := content["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	metadata["labels"] = written
	content = maps.Clone(content)
	content["metadata"] = metadata
	return out.WithContent(content)
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
