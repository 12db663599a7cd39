package policies_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// line is one effect, in short.
func line(e policies.Effect) string {
	return fmt.Sprintf("%s: %s %s (%d)", e.EnforcedBy, e.Verdict, e.Reason, e.Workloads)
}

// effectsOf are the effects of the object called "it", in short.
func effectsOf(t *testing.T, in string) []string {
	t.Helper()
	objects, err := scenario.Objects([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	view := policies.NewView(mesh.New(mesh.Options{}, objects...))
	var out []string
	for o := range view.Objects() {
		if o.Name != "it" {
			continue
		}
		for _, e := range view.Effects(o) {
			if none := e.Verdict == policies.NotEnforced || e.Verdict == policies.Pending || e.Verdict == policies.Unknown; none != (e.EnforcedBy == policies.Nobody) {
				t.Errorf("%s is enforced by %s", e.Verdict, e.EnforcedBy)
			}
			if e.Message == "" || strings.Contains(e.Message, "%!") || strings.Contains(e.Message, "<nil>") {
				t.Errorf("message %q", e.Message)
			}
			out = append(out, line(e))
		}
	}
	return out
}

const (
	root    = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}\n"
	shop    = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}\n"
	strict  = "{mtls: {mode: STRICT}}"
	ofCart  = "selector: {matchLabels: {app: cart}}"
	exposed = "portLevelMtls: {8080: {mode: PERMISSIVE}}"
)

func namespaced(kind, ns, name, spec string) string {
	return fmt.Sprintf("---\n{apiVersion: security.istio.io/v1, kind: %s, metadata: {name: %s, namespace: %s}, spec: %s}\n", kind, name, ns, spec)
}

func peerAuth(ns, name, spec string) string { return namespaced("PeerAuthentication", ns, name, spec) }

func tokens(ns, spec string) string { return namespaced("RequestAuthentication", ns, "it", spec) }

func deployment(ns, app, labels string) string {
	return fmt.Sprintf("---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s, namespace: %s}, spec: {template: {metadata: {labels: {app: %s%s}}}}}\n", app, ns, app, labels)
}

func sidecarOf(ns, app string) string {
	return fmt.Sprintf("---\n{apiVersion: v1, kind: Pod, metadata: {name: %s-1, namespace: %s, labels: {app: %s}, annotations: {sidecar.istio.io/status: '{}'}}, status: {phase: Running}}\n", app, ns, app)
}

func TestPeerAuthenticationEffects(t *testing.T) {
	here := root + shop + deployment("shop", "cart", "")
	both := here + sidecarOf("shop", "old")
	tests := []struct {
		name string
		in   string
		want []string
	}{
		{"mesh", here + peerAuth("istio-system", "it", strict), []string{"ztunnel: Enforced Accepted (1)"}},
		{"mesh, seen from its installation alone", root + deployment("istio-system", "istiod", "") + peerAuth("istio-system", "it", strict), []string{"none: Unknown NotInInput (0)"}},
		{"mesh, seen from nothing", peerAuth("istio-system", "it", strict), []string{"none: Unknown NotInInput (0)"}},
		{"mesh, overridden by the opposite", here + peerAuth("istio-system", "it", strict) + peerAuth("shop", "default", "{mtls: {mode: PERMISSIVE}}"), []string{"none: NotEnforced Overridden (1)"}},
		{"mesh, overridden in one of two namespaces", here + strings.ReplaceAll(shop+deployment("shop", "cart", ""), "shop", "bank") +
			peerAuth("istio-system", "it", strict) + peerAuth("shop", "default", "{mtls: {mode: PERMISSIVE}}"), []string{"ztunnel: Enforced Accepted (1)"}},
		{"rollout from sidecars", both + peerAuth("shop", "it", strict), []string{"sidecar: Enforced Accepted (1)", "ztunnel: Enforced Accepted (1)"}},
		{"rollout, opted out as well", both + deployment("shop", "db", ", istio.io/dataplane-mode: none") + peerAuth("shop", "it", strict),
			[]string{"none: NotEnforced NotEnrolled (1)", "sidecar: Enforced Accepted (1)", "ztunnel: Enforced Accepted (1)"}},
		{"p10", here + peerAuth("shop", "default", strict) + peerAuth("shop", "it", "{"+ofCart+", mtls: {mode: DISABLE}}"), []string{"ztunnel: PartiallyEnforced DisablePermits (1)"}},
		{"p11", here + peerAuth("istio-system", "default", strict) + peerAuth("shop", "it", "{"+ofCart+", portLevelMtls: {8080: {mode: DISABLE}}}"), []string{"ztunnel: OverDenies PortModeIgnored (1)"}},
		{"p12", here + peerAuth("istio-system", "default", strict) + peerAuth("shop", "default", "{}") + peerAuth("shop", "it", "{"+ofCart+", "+exposed+"}"), []string{"ztunnel: PartiallyEnforced DanglingPort (1)"}},
		{"p12, the mesh's own", here + peerAuth("istio-system", "it", strict) + peerAuth("shop", "default", "{}") + peerAuth("shop", "cart", "{"+ofCart+", "+exposed+"}"), []string{"ztunnel: PartiallyEnforced DanglingPort (1)"}},
		{"p12 at sidecars", root + shop + sidecarOf("shop", "cart") + peerAuth("istio-system", "default", strict) + peerAuth("shop", "default", "{}") + peerAuth("shop", "it", "{"+ofCart+", "+exposed+"}"), []string{"sidecar: Enforced Accepted (1)"}},
		{"p13, selector", here + peerAuth("istio-system", "it", "{"+ofCart+", mtls: {mode: STRICT}}"), []string{"none: NotEnforced RootSelector (0)"}},
		{"p13, empty selector", both + peerAuth("istio-system", "it", "{selector: {}, mtls: {mode: STRICT}}"), []string{"none: NotEnforced EmptySelector (1)", "sidecar: Enforced Accepted (1)"}},
		{"says nothing", here + peerAuth("shop", "it", "{}"), []string{"ztunnel: Enforced Accepted (1)"}},
		{"ports without a selector", here + peerAuth("shop", "it", "{portLevelMtls: {8080: {mode: STRICT}}}"), []string{"none: NotEnforced PortsNeedPods (1)"}},
		{"a namespace without workloads", root + shop + peerAuth("shop", "it", strict), []string{"ztunnel: Enforced Accepted (0)"}},
		{"a namespace that is not in the input", peerAuth("shop", "it", strict), []string{"none: Unknown NotInInput (0)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, effectsOf(t, tt.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestAuthenticationEffects(t *testing.T) {
	gateway := "---\n{apiVersion: v1, kind: Pod, metadata: {name: edge-1, namespace: shop, labels: {istio: ingressgateway}}, status: {phase: Running}}\n"
	here := root + shop + deployment("shop", "cart", "")
	tests := []struct {
		name string
		in   string
		want []string
	}{
		{"selector over enrolled pods", here + tokens("shop", "{"+ofCart+"}"), []string{"none: NotEnforced NeedsTargetRefs (1)"}},
		{"mesh", here + tokens("istio-system", "{}"), []string{"none: NotEnforced NeedsTargetRefs (1)"}},
		{"mesh, seen from its installation alone", root + deployment("istio-system", "istiod", "") + tokens("istio-system", "{}"), []string{"none: Unknown NotInInput (0)"}},
		{"namespace with a gateway, a sidecar and enrolled pods", here + gateway + sidecarOf("shop", "old") + tokens("shop", "{}"),
			[]string{"gateway: Enforced Accepted (1)", "none: NotEnforced NeedsTargetRefs (1)", "sidecar: Enforced Accepted (1)"}},
		{"not enrolled", root + strings.ReplaceAll(shop, "ambient", "none") + deployment("shop", "cart", "") + tokens("shop", "{"+ofCart+"}"), []string{"none: NotEnforced NotEnrolled (1)"}},
		{"a Service twice", here + "---\n{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {ports: [{port: 80, name: http}]}}\n" +
			tokens("shop", "{targetRefs: [{kind: Service, group: '', name: cart}, {kind: Service, group: '', name: cart}]}"), []string{"none: NotEnforced AncestorNotBound (0)"}},
		{"not in the input", tokens("shop", "{"+ofCart+"}"), []string{"none: Unknown NotInInput (0)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, effectsOf(t, tt.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
