package mesh

import (
	"slices"
	"strings"

	"istio.io/api/label"
)

// GatewayPods are the pods that istiod makes for the Gateways of a namespace, with all of labels, where the
// input shows no pods of theirs: manifests never do. Who deploys a Gateway by hand says so in its addresses
// (gatewaycommon/gateway_utils.go IsManaged), and what is made for others' classes is not known.
func (s *Snapshot) GatewayPods(ns string, labels map[string]string) []*Workload {
	var out []*Workload
	for _, gw := range s.List(Gateway, ns) {
		class := s.ClassOf(gw)
		if class == ClassForeign || class == ClassUnknown || class == ClassRemote || !managed(gw) || s.hasPods(gw) {
			continue
		}
		if of := podLabels(gw); subset(labels, of) {
			out = append(out, s.Imagine(ns, of))
		}
	}
	return out
}

// WaypointPod is a pod of a waypoint: one that is in the input, else as istiod makes it (manifests/charts/istio-control/istio-discovery/
// files/waypoint.yaml).
func (s *Snapshot) WaypointPod(gw *Object) *Workload {
	key := label.IoK8sNetworkingGatewayGatewayName.Name
	for _, w := range s.workloadsOf(gw.Namespace).candidates(map[string]string{key: gw.Name}) {
		if w.Labels[key] == gw.Name {
			return w
		}
	}
	labels := podLabels(gw)
	labels[label.GatewayManaged.Name], labels[label.IoIstioDataplaneMode.Name], labels[label.SidecarInject.Name] = managedMesh, none, "false"
	labels[label.ServiceCanonicalName.Name] = gw.Name
	return s.Imagine(gw.Namespace, labels)
}

func managed(gw *Object) bool {
	addresses := gw.Spec.(*GatewayBody).Spec.Addresses
	return len(addresses) == 0 || len(addresses) == 1 && (addresses[0].Type == "" || addresses[0].Type == "IPAddress")
}

func (s *Snapshot) hasPods(gw *Object) bool {
	name := map[string]string{label.IoK8sNetworkingGatewayGatewayName.Name: gw.Name}
	return slices.ContainsFunc(s.workloadsOf(gw.Namespace).candidates(name), func(w *Workload) bool { return subset(name, w.Labels) })
}

// podLabels are those that istiod gives to a Gateway's pods: the infrastructure's, else the Gateway's own, and
// its name (gatewaycommon/deploymentcontroller.go extractInfrastructureMetadata; files/kube-gateway.yaml).
func podLabels(gw *Object) map[string]string {
	out := map[string]string{}
	body := gw.Spec.(*GatewayBody)
	if in := body.Spec.Infrastructure; in != nil && in.Labels != nil {
		for k, v := range in.Labels {
			if !strings.HasPrefix(k, Gateway.Group()+"/") {
				out[k] = v
			}
		}
	} else {
		for k, v := range gw.Labels {
			out[k] = v
		}
	}
	out[label.IoK8sNetworkingGatewayGatewayName.Name] = gw.Name
	out["gateway.networking.k8s.io/gateway-class-name"] = body.Spec.GatewayClassName
	return out
}

// RunsAs is the class of the Gateway of which a gateway's pod is an instance; named is false for a gateway
// that is no instance of a Gateway of the Gateway API, whose proxy looks at selectors like any other.
func (s *Snapshot) RunsAs(w *Workload) (class Class, named bool) {
	name := w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]
	if name == "" {
		return ClassGateway, false
	}
	if gw := s.Get(Gateway, w.Namespace, name); gw != nil {
		return s.ClassOf(gw), true
	}
	switch by := w.Labels[label.GatewayManaged.Name]; {
	case strings.HasPrefix(by, "istio.io-agentgateway"):
		return ClassAgentIngress, true
	case by == managedEastWest:
		return ClassEastWest, true
	}
	return ClassGateway, true
}
