package mesh

import (
	"slices"
	"strings"

	"istio.io/api/annotation"
	"istio.io/api/label"
)

const (
	enabled = "enabled"
	pending = "pending"
	// mutualTLS is what label security.istio.io/tlsMode says of a workload that has a sidecar.
	mutualTLS = "istio"
	// tunnelLabel marks a workload that accepts HBONE without a ztunnel (pilot/pkg/model SupportsTunnel).
	tunnelLabel = "networking.istio.io/tunnel"
)

// enrol says what captures w, in the order of cni/pkg/util/enablement_selector.go Matches. A running
// pod is enrolled if and only if istio-cni has said so on it.
func (s *Snapshot) enrol(w *Workload) (Mode, string) {
	if mode, why := s.gatewayMode(w); mode != "" {
		return mode, why
	}
	if _, ok := w.Annotations[annotation.SidecarStatus.Name]; ok {
		return ModeSidecar, "it has a sidecar (annotation " + annotation.SidecarStatus.Name + ")"
	}
	redirected := w.Annotations[annotation.AmbientRedirection.Name]
	if w.Source != nil && (w.Source.Kind == WorkloadEntry || w.Source.Kind == ServiceEntry) {
		return enrolEntry(w, redirected)
	}
	if w.Running {
		if redirected == enabled {
			return ModeAmbient, "istio-cni has captured it"
		}
		return ModeNone, s.whyNotCaptured(w, redirected)
	}
	return s.predict(w)
}

// enrolEntry is enrol for what is no pod. A machine with a sidecar of its own registers itself, or
// is marked as one that speaks Istio's mTLS.
func enrolEntry(w *Workload, redirected string) (Mode, string) {
	switch {
	case redirected == enabled, slices.Contains(strings.Split(w.Labels[tunnelLabel], ","), "http"):
		return ModeAmbient, "it accepts HBONE"
	case w.Source.Kind == WorkloadEntry && (w.Labels[label.SecurityTlsMode.Name] == mutualTLS || w.Annotations[annotation.IoIstioAutoRegistrationGroup.Name] != ""):
		return ModeSidecar, "a sidecar runs on it"
	}
	return ModeNone, "no ztunnel stands before it"
}

// whyNotCaptured explains why a pod runs uncaptured, and where its labels ask for something else, that.
func (s *Snapshot) whyNotCaptured(w *Workload, redirected string) string {
	if redirected == pending {
		return "istio-cni has not finished capturing it (annotation " + annotation.AmbientRedirection.Name + ": pending)"
	}
	switch mode, why := s.predict(w); mode {
	case ModeAmbient:
		return why + ", but istio-cni has not captured it (no annotation " + annotation.AmbientRedirection.Name + ": enabled)"
	case ModeSidecar:
		return "it was started without the sidecar that is asked for"
	case ModeUnknown:
		return "istio-cni has not captured it (no annotation " + annotation.AmbientRedirection.Name + ": enabled)"
	default:
		return why
	}
}

// Uncaptured is whether a pod runs that labels enrol and istio-cni has not captured, wholly or at all.
func (s *Snapshot) Uncaptured(w *Workload) bool {
	if w.Source == nil || w.Source.Kind != Pod || w.Mode != ModeNone || w.Source.Spec.(*PodBody).Status.Phase != "Running" {
		return false
	}
	mode, _ := s.predict(w)
	return mode == ModeAmbient
}

// Excluded is whether istio-cni leaves a namespace out, whatever its labels say.
func (s *Snapshot) Excluded(ns string) bool {
	return slices.Contains(s.settings.ExcludedNamespaces, ns)
}

// predict says what will capture a pod that does not run yet.
func (s *Snapshot) predict(w *Workload) (Mode, string) {
	if s.injected(w) {
		return ModeSidecar, "a sidecar is injected into it, which wins over ambient mode"
	}
	if w.HostNetwork {
		return ModeNone, "it uses the host's network, which ztunnel does not capture"
	}
	if s.Excluded(w.Namespace) {
		return ModeNone, "istio-cni leaves Namespace " + w.Namespace + " out"
	}
	if !s.Known(w.Namespace) && w.Labels[label.IoIstioDataplaneMode.Name] == "" {
		return ModeUnknown, "Namespace " + w.Namespace + " is not in the input"
	}
	labels := s.NamespaceLabels(w.Namespace)
	for _, sel := range s.settings.Enrolment {
		if sel.Pod.Matches(w.Labels) && sel.Namespace.Matches(labels) {
			if w.Labels[label.IoIstioDataplaneMode.Name] == ambient {
				return ModeAmbient, "it has label " + label.IoIstioDataplaneMode.Name + "=ambient"
			}
			if from := s.settings.EnrolmentFrom; from != "" {
				return ModeAmbient, "the enablementSelectors of " + from + " enrol it"
			}
			return ModeAmbient, "Namespace " + w.Namespace + " is enrolled"
		}
	}
	if from := s.settings.EnrolmentFrom; from != "" {
		return ModeNone, "the enablementSelectors of " + from + " do not enrol it"
	}
	if w.Labels[label.IoIstioDataplaneMode.Name] == none {
		return ModeNone, "it has label " + label.IoIstioDataplaneMode.Name + "=none"
	}
	return ModeNone, "neither it nor Namespace " + w.Namespace + " has label " + label.IoIstioDataplaneMode.Name + "=ambient"
}

// Bypassed is whether plaintext calls reach a workload without passing its ztunnel, because its
// annotation asks for that; calls from enrolled pods still pass (istio/istio#58577).
func Bypassed(w *Workload) bool {
	return True(w.Annotations[annotation.AmbientBypassInboundCapture.Name])
}

// neverInjected are the namespaces that the injector leaves out (pkg/kube/inject/initializer.go).
var neverInjected = []string{"kube-system", "kube-public", "kube-node-lease", "local-path-storage"}

// injected is whether the sidecar injector will add a sidecar. The injector knows nothing of ambient
// mode. Two things must come together: one of the webhooks must be called, which the labels of the
// Namespace and the pod decide (charts/istio-discovery/templates/mutatingwebhook.yaml), and the
// injector must want to (pkg/kube/inject/inject.go injectRequired).
func (s *Snapshot) injected(w *Workload) bool {
	if w.HostNetwork || slices.Contains(neverInjected, w.Namespace) {
		return false
	}
	own, labelled := w.Labels[label.SidecarInject.Name]
	if own == "false" || !labelled && w.Annotations[annotation.SidecarInject.Name] == "false" {
		return false
	}
	ns := s.NamespaceLabels(w.Namespace)
	_, decided := ns[InjectionLabel]
	if _, revision := ns[label.IoIstioRev.Name]; decided || revision {
		return Injection(ns)
	}
	return own == "true" || w.Labels[label.IoIstioRev.Name] != ""
}

// InjectionLabel enrols a namespace for sidecars; istio.io/api has no name for it.
const InjectionLabel = "istio-injection"

// Injection is whether a namespace with these labels has sidecars injected into its pods.
func Injection(namespace map[string]string) bool {
	if v, ok := namespace[InjectionLabel]; ok {
		return v == enabled
	}
	return namespace[label.IoIstioRev.Name] != ""
}

// classicGateways are the values of label istio that the charts and samples give to gateways' pods.
var classicGateways = []string{"ingressgateway", "egressgateway", "eastwestgateway"}

// EnrolsAlike is whether two states of a Namespace say the same of who captures its pods: by Istio's labels, and by what
// istio-cni selects Namespaces by.
func (s *Snapshot) EnrolsAlike(was, is *Object) bool {
	for _, l := range []string{label.IoIstioDataplaneMode.Name, InjectionLabel, label.IoIstioRev.Name} {
		a, had := was.Labels[l]
		b, has := is.Labels[l]
		if a != b || had != has {
			return false
		}
	}
	return !slices.ContainsFunc(s.settings.Enrolment, func(e EnrolmentSelector) bool {
		return e.Namespace.Matches(was.Labels) != e.Namespace.Matches(is.Labels)
	})
}

// gatewayMode recognises the pods of Istio's gateways and waypoints, which are not captured
// themselves. Somebody else's gateway is a pod like any other.
func (s *Snapshot) gatewayMode(w *Workload) (Mode, string) {
	if name := w.Labels[label.IoK8sNetworkingGatewayGatewayName.Name]; name != "" {
		gw := s.Get(Gateway, w.Namespace, name)
		switch {
		case s.instanceOfWaypoint(w, name):
			return ModeWaypoint, "it is an instance of waypoint " + w.Namespace + "/" + name
		case gw == nil || s.ClassOf(gw) != ClassForeign:
			return ModeGateway, "it is an instance of Gateway " + w.Namespace + "/" + name
		}
	}
	if w.Mode == ModeGateway || slices.Contains(strings.Split(w.Annotations[annotation.InjectTemplates.Name], ","), "gateway") ||
		slices.Contains(classicGateways, w.Labels["istio"]) {
		return ModeGateway, "it is a gateway"
	}
	for _, o := range s.List(IstioGateway, w.Namespace) {
		if sel := o.Spec.(*IstioGatewaySpec).Selector; len(sel) > 0 && subset(sel, w.Labels) {
			return ModeGateway, "Gateway " + o.Key() + " selects it"
		}
	}
	return "", ""
}

func (s *Snapshot) instanceOfWaypoint(w *Workload, name string) bool {
	if o := s.Get(Gateway, w.Namespace, name); o != nil {
		return s.ClassOf(o).Waypoint()
	}
	managed := w.Labels[label.GatewayManaged.Name]
	return managed == managedMesh || strings.HasPrefix(managed, "istio.io-agentgateway-waypoint")
}
