package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// controllers make pods; where Pods were read, they say nothing that the Pods do not.
var controllers = []mesh.Kind{mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Job, mesh.CronJob}

// dispensable kinds only ever add something: that there is none of them never makes anything wrong.
var dispensable = []mesh.Kind{
	mesh.ConfigMap, mesh.EndpointSlice, mesh.NetworkPolicy, mesh.GatewayClass, mesh.EnvoyFilter, mesh.ProxyConfig, mesh.WasmPlugin,
	mesh.TrafficExtension, mesh.Telemetry, mesh.BackendTLSPolicy, mesh.XBackendTrafficPolicy, mesh.Sidecar,
	mesh.HTTPRoute, mesh.GRPCRoute, mesh.TCPRoute, mesh.TLSRoute, mesh.VirtualService, mesh.InferencePool,
}

// whole is whether what a cluster did not show cannot make something look absent that is there: a policy for a Service
// that nobody was allowed to list is not a policy for a Service that does not exist.
func whole(unread []Unread) bool {
	for _, u := range unread {
		if isAuthoredResource(u.Resource) {
			continue
		}
		kind := kindOfResource(u.Resource)
		if kind.Evidence() == "" && !slices.Contains(dispensable, kind) && !slices.Contains(controllers, kind) {
			return false
		}
	}
	return true
}

// kindOfResource is the kind that an Unread is about.
func kindOfResource(name string) mesh.Kind {
	for _, k := range mesh.Kinds() {
		for _, g := range k.Groups() {
			if resourceName(k, g) == name {
				return k
			}
		}
	}
	panic("inventory: no kind has resource " + name)
}

// leaves says what is unknown without the objects of a kind.
func leaves(kind mesh.Kind) string {
	const nothingAbsent = " Nothing counts as absent without it, so what depends on that is Unknown."
	switch {
	case kind == mesh.Namespace:
		return "Which namespaces are enrolled, and which waypoints they ask for, is not known." + nothingAbsent
	case kind == mesh.ConfigMap:
		return "The mesh configuration is not known: Istio's defaults stand in for it, and extension providers are not judged."
	case kind == mesh.GatewayClass:
		return "Only Istio's own GatewayClasses are known."
	case kind == mesh.EndpointSlice, kind == mesh.NetworkPolicy:
		return fmt.Sprintf("What %s add or forbid is not known.", plural(kind))
	case kind.Evidence() != "":
		return fmt.Sprintf("No %s is judged, and rules that read them skip.", kind)
	case slices.Contains(controllers, kind):
		return fmt.Sprintf("%s without pods are not known.", plural(kind))
	case slices.Contains(dispensable, kind):
		return fmt.Sprintf("No %s is judged, and paths that go through one are not seen.", kind)
	case kind.IsPolicy():
		return fmt.Sprintf("No %s is judged.%s", kind, nothingAbsent)
	}
	return fmt.Sprintf("Which %s there are is not known.%s", plural(kind), nothingAbsent)
}

func plural(kind mesh.Kind) string {
	name := kind.String()
	switch {
	case kind == mesh.IstioGateway:
		return "Istio's own Gateways"
	case strings.HasSuffix(name, "cy"), strings.HasSuffix(name, "ry"):
		return name[:len(name)-1] + "ies"
	case name[len(name)-1] == 's':
		return name + "es"
	}
	return name + "s"
}
