package mesh_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
)

const (
	ambientNS  = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}\n"
	plainNS    = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"
	injectedNS = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled}}}\n"
	bothNS     = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled, istio.io/dataplane-mode: ambient}}}\n"
	template   = "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: app}]}}}}\n"
)

// templateWith is a Deployment whose template has these metadata and spec, in flow style.
func templateWith(metadata, spec string) string {
	return "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {template: {metadata: " + metadata + ", spec: " + spec + "}}}\n"
}

func running(metadata string) string {
	return "---\n{apiVersion: v1, kind: Pod, metadata: {name: cart, namespace: shop, " + metadata + "}, spec: {containers: [{name: app}]}, status: {phase: Running}}\n"
}

// enrolments are all that can be captured, or not, and why.
var enrolments = []struct {
	name string
	in   string
	want mesh.Mode
	why  string // part of the reason
}{
	{"template in an enrolled namespace", ambientNS + template, mesh.ModeAmbient, "Namespace shop is enrolled"},
	{"template in a plain namespace", plainNS + template, mesh.ModeNone, "neither it nor Namespace shop"},
	{"template without its Namespace", template, mesh.ModeUnknown, "Namespace shop is not in the input"},
	{"label ambient, plain namespace", plainNS + templateWith("{labels: {istio.io/dataplane-mode: ambient}}", "{}"), mesh.ModeAmbient, "it has label istio.io/dataplane-mode=ambient"},
	{"label ambient, unknown namespace", templateWith("{labels: {istio.io/dataplane-mode: ambient}}", "{}"), mesh.ModeAmbient, "it has label"},
	{"label none", ambientNS + templateWith("{labels: {istio.io/dataplane-mode: none}}", "{}"), mesh.ModeNone, "=none"},
	{"label none, unknown namespace", templateWith("{labels: {istio.io/dataplane-mode: none}}", "{}"), mesh.ModeNone, "=none"},
	{"wrong case", plainNS + templateWith("{labels: {istio.io/dataplane-mode: Ambient}}", "{}"), mesh.ModeNone, "neither"},
	{"host network", ambientNS + templateWith("{}", "{hostNetwork: true}"), mesh.ModeNone, "host's network"},

	{"injected", injectedNS + template, mesh.ModeSidecar, "injected"},
	{"injected and enrolled: the sidecar wins", bothNS + template, mesh.ModeSidecar, "wins over ambient"},
	{"host network is never injected", injectedNS + templateWith("{}", "{hostNetwork: true}"), mesh.ModeNone, "host's network"},
	{"opted out of the sidecar of an enrolled namespace", bothNS + templateWith("{labels: {sidecar.istio.io/inject: \"false\"}}", "{}"), mesh.ModeAmbient, "enrolled"},
	{"opted out by annotation", bothNS + templateWith("{annotations: {sidecar.istio.io/inject: \"false\"}}", "{}"), mesh.ModeAmbient, "enrolled"},
	{"opted in", ambientNS + templateWith("{labels: {sidecar.istio.io/inject: \"true\"}}", "{}"), mesh.ModeSidecar, "injected"},
	{"an annotation calls no webhook", ambientNS + templateWith("{annotations: {sidecar.istio.io/inject: \"true\"}}", "{}"), mesh.ModeAmbient, "enrolled"},
	{"opted in where injection is disabled", "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: disabled, istio.io/dataplane-mode: ambient}}}\n" +
		templateWith("{labels: {sidecar.istio.io/inject: \"true\"}}", "{}"), mesh.ModeAmbient, "enrolled"},
	{"revision on the pod", ambientNS + templateWith("{labels: {istio.io/rev: canary}}", "{}"), mesh.ModeSidecar, "injected"},
	{"revision on the namespace", "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/rev: canary}}}\n" + template, mesh.ModeSidecar, "injected"},

	{"running and captured", plainNS + running("annotations: {ambient.istio.io/redirection: enabled}"), mesh.ModeAmbient, "istio-cni has captured it"},
	{"running and captured, unknown namespace", running("annotations: {ambient.istio.io/redirection: enabled}"), mesh.ModeAmbient, "istio-cni has captured it"},
	{"running, labelled, not captured", ambientNS + running("labels: {app: cart}"), mesh.ModeNone, "but istio-cni has not captured it"},
	{"running, half captured", ambientNS + running("annotations: {ambient.istio.io/redirection: pending}"), mesh.ModeNone, "has not finished"},
	{"running, not captured, unknown namespace", running("labels: {app: cart}"), mesh.ModeNone, "has not captured it"},
	{"running with a sidecar", ambientNS + running("annotations: {sidecar.istio.io/status: '{}', ambient.istio.io/redirection: enabled}"), mesh.ModeSidecar, "it has a sidecar"},
	{"an empty sidecar status counts", ambientNS + running("annotations: {sidecar.istio.io/status: ''}"), mesh.ModeSidecar, "it has a sidecar"},
	{"running without the sidecar it should have", injectedNS + running("labels: {app: cart}"), mesh.ModeNone, "started without the sidecar"},
	{"a Pod of a file", ambientNS + "---\n{apiVersion: v1, kind: Pod, metadata: {name: cart, namespace: shop}}\n", mesh.ModeAmbient, "enrolled"},

	{"waypoint, by its Gateway", ambientNS + "---\n{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: wp, namespace: shop}, spec: {gatewayClassName: istio-waypoint}}\n" +
		running("labels: {gateway.networking.k8s.io/gateway-name: wp}"), mesh.ModeWaypoint, "waypoint shop/wp"},
	{"waypoint, by its label", running("labels: {gateway.networking.k8s.io/gateway-name: wp, gateway.istio.io/managed: istio.io-mesh-controller}"), mesh.ModeWaypoint, "waypoint shop/wp"},
	{"gateway", running("labels: {gateway.networking.k8s.io/gateway-name: gw}"), mesh.ModeGateway, "Gateway shop/gw"},
	{"somebody else's gateway is a pod like any other", ambientNS + "---\n{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: eg, namespace: shop}, spec: {gatewayClassName: eg}}\n---\n" +
		"{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: eg}, spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}}\n" +
		running("labels: {gateway.networking.k8s.io/gateway-name: eg}, annotations: {ambient.istio.io/redirection: enabled}"), mesh.ModeAmbient, "captured"},
	{"gateway by template", ambientNS + templateWith("{annotations: {inject.istio.io/templates: gateway}}", "{}"), mesh.ModeGateway, "it is a gateway"},
	{"gateway by its arguments", ambientNS + templateWith("{}", "{containers: [{name: proxy, args: [proxy, router]}]}"), mesh.ModeGateway, "it is a gateway"},
	{"gateway by an Istio Gateway", ambientNS + "---\n{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: gw, namespace: shop}, spec: {selector: {app: cart}}}\n" + template, mesh.ModeGateway, "selects it"},

	{"WorkloadEntry", ambientNS + entry("{}"), mesh.ModeNone, "no ztunnel"},
	{"WorkloadEntry with HBONE", ambientNS + entry("{labels: {networking.istio.io/tunnel: http}}"), mesh.ModeAmbient, "HBONE"},
	{"WorkloadEntry with HBONE among others", ambientNS + entry("{labels: {networking.istio.io/tunnel: \"x,http\"}}"), mesh.ModeAmbient, "HBONE"},
	{"WorkloadEntry with another tunnel", ambientNS + entry("{labels: {networking.istio.io/tunnel: xhttp}}"), mesh.ModeNone, "no ztunnel"},
	{"WorkloadEntry redirected", ambientNS + entry("{annotations: {ambient.istio.io/redirection: enabled}}"), mesh.ModeAmbient, "HBONE"},
	{"WorkloadEntry of a machine with a sidecar", ambientNS + entry("{annotations: {istio.io/autoRegistrationGroup: vms}}"), mesh.ModeSidecar, "a sidecar runs on it"},
	{"ServiceEntry endpoint", ambientNS + "---\n{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: ext, namespace: shop}, spec: {hosts: [a.b], endpoints: [{address: 1.2.3.4}]}}\n", mesh.ModeNone, "no ztunnel"},
	{"DaemonSet", ambientNS + "---\n{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent, namespace: shop}, spec: {template: {}}}\n", mesh.ModeAmbient, "enrolled"},
	{"StatefulSet", ambientNS + "---\n{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: shop}, spec: {template: {}}}\n", mesh.ModeAmbient, "enrolled"},
	{"Job", ambientNS + "---\n{apiVersion: batch/v1, kind: Job, metadata: {name: once, namespace: shop}, spec: {template: {}}}\n", mesh.ModeAmbient, "enrolled"},
	{"CronJob", ambientNS + "---\n{apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly, namespace: shop}, spec: {jobTemplate: {spec: {template: {}}}}}\n", mesh.ModeAmbient, "enrolled"},
}

func TestEnrolment(t *testing.T) {
	for _, tt := range enrolments {
		t.Run(tt.name, func(t *testing.T) {
			s := mesh.New(mesh.Options{}, decode(t, tt.in)...)
			w := s.Workloads("shop")
			if len(w) != 1 {
				t.Fatalf("%d workloads, want 1", len(w))
			}
			if w[0].Mode != tt.want || !strings.Contains(w[0].Why, tt.why) {
				t.Errorf("%s: %s; want %s: …%s…", w[0].Mode, w[0].Why, tt.want, tt.why)
			}
		})
	}
}

func entry(metadata string) string {
	return "---\n{apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: vm, namespace: shop, " + strings.Trim(metadata, "{}") + "}}, spec: {address: 10.0.0.9}}\n"
}

func TestExcludedNamespace(t *testing.T) {
	in := strings.ReplaceAll(ambientNS+template, "shop", "kube-system")
	s := mesh.New(mesh.Options{}, decode(t, in)...)
	if w := s.Workloads("kube-system")[0]; w.Mode != mesh.ModeNone || !strings.Contains(w.Why, "leaves Namespace kube-system out") {
		t.Errorf("%s: %s", w.Mode, w.Why)
	}
	s = mesh.New(mesh.Options{ExcludedNamespaces: []string{}}, decode(t, in)...)
	if w := s.Workloads("kube-system")[0]; w.Mode != mesh.ModeAmbient {
		t.Errorf("nothing excluded: %s: %s", w.Mode, w.Why)
	}
}

func TestEnrolmentSelectorsAreAnOption(t *testing.T) {
	options := mesh.Options{Enrolment: []mesh.EnrolmentSelector{{Pod: mesh.LabelSelector{MatchLabels: map[string]string{"app": "cart"}}}}}
	if w := mesh.New(options, decode(t, plainNS+template)...).Workloads("shop")[0]; w.Mode != mesh.ModeAmbient {
		t.Errorf("%s: %s", w.Mode, w.Why)
	}
}

// TestTemplates: a template counts as a workload until pods of its own are in the input, and
// another's pods do not stand for it.
func TestTemplates(t *testing.T) {
	pod := func(name, metadata string) string {
		return "---\n{apiVersion: v1, kind: Pod, metadata: {name: " + name + ", namespace: shop, labels: {app: cart, pod-template-hash: \"5d8f\"}, " + metadata + "}, status: {phase: Running}}\n"
	}
	tests := []struct {
		name, in string
		want     []string
	}{
		{"no pod", template, []string{"Deployment"}},
		{"its pod, by labels", template + pod("x", "annotations: {}"), []string{"Pod"}},
		{"its pod, by owner", template + pod("x", "ownerReferences: [{kind: ReplicaSet, name: cart-5d8f}]"), []string{"Pod"}},
		{"another's pod with the same labels", template + pod("x", "ownerReferences: [{kind: ReplicaSet, name: other-5d8f}]"), []string{"Pod", "Deployment"}},
		{"a finished pod", template + "---\n{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: shop, labels: {app: cart}}, status: {phase: Succeeded}}\n", []string{"Deployment"}},
		{"its ReplicaSet", template + "---\n{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: cart-5d8f, namespace: shop, ownerReferences: [{kind: Deployment, name: cart}]}, spec: {template: {}}}\n", []string{"Deployment"}},
		{"a ReplicaSet of what is not in the input", "---\n{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: cart-5d8f, namespace: shop, ownerReferences: [{kind: Deployment, name: cart}]}, spec: {template: {}}}\n", []string{"ReplicaSet"}},
	}
	for _, tt := range tests {
		var got []string
		for _, w := range mesh.New(mesh.Options{}, decode(t, tt.in)...).Workloads("shop") {
			got = append(got, w.Source.Kind.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestUncaptured(t *testing.T) {
	for in, want := range map[string]bool{
		ambientNS + running("labels: {app: cart}"):                                           true,
		ambientNS + running("annotations: {ambient.istio.io/redirection: pending}"):          true,
		ambientNS + running("annotations: {ambient.istio.io/redirection: enabled}"):          false,
		plainNS + running("labels: {app: cart}"):                                             false,
		injectedNS + running("labels: {app: cart}"):                                          false,
		ambientNS + strings.ReplaceAll(running("labels: {app: cart}"), "Running", "Pending"): false,
		ambientNS + template: false,
	} {
		s := mesh.New(mesh.Options{}, decode(t, in)...)
		if got := s.Uncaptured(s.Workloads("shop")[0]); got != want {
			t.Errorf("%s: uncaptured %v", in, got)
		}
	}
}

func TestBypassed(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "1": true, "false": false, "yes": false, "": false} {
		w := &mesh.Workload{Annotations: map[string]string{"ambient.istio.io/bypass-inbound-capture": value}}
		if mesh.Bypassed(w) != want {
			t.Errorf("%q: %v", value, !want)
		}
	}
}

func TestLabelSelector(t *testing.T) {
	labels := map[string]string{"app": "cart", "tier": "web"}
	expr := func(key, op string, values ...string) *mesh.LabelSelector {
		return &mesh.LabelSelector{MatchExpressions: []mesh.Requirement{{Key: key, Operator: op, Values: values}}}
	}
	tests := []struct {
		sel  *mesh.LabelSelector
		want bool
	}{
		{nil, false},
		{&mesh.LabelSelector{}, true},
		{&mesh.LabelSelector{MatchLabels: map[string]string{"app": "cart"}}, true},
		{&mesh.LabelSelector{MatchLabels: map[string]string{"app": "pay"}}, false},
		{&mesh.LabelSelector{MatchLabels: map[string]string{"absent": ""}}, false},
		{expr("app", "In", "cart", "pay"), true}, {expr("app", "In", "pay"), false}, {expr("absent", "In", ""), false},
		{expr("app", "NotIn", "cart"), false}, {expr("app", "NotIn", "pay"), true}, {expr("absent", "NotIn", "x"), true},
		{expr("app", "Exists"), true}, {expr("absent", "Exists"), false},
		{expr("app", "DoesNotExist"), false}, {expr("absent", "DoesNotExist"), true},
		{expr("app", "Resembles", "cart"), false},
	}
	for _, tt := range tests {
		if got := tt.sel.Matches(labels); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.sel, got, tt.want)
		}
	}
}

// chartCNI is what charts/istio-cni renders with its own values.
const chartCNI = `kind: ConfigMap
apiVersion: v1
metadata:
  name: istio-cni-config
  namespace: istio-system
data:
  AMBIENT_ENABLED: "true"
  AMBIENT_ENABLEMENT_SELECTOR: "- podSelector:\n    matchLabels:\n      istio.io/dataplane-mode: ambient\n- namespaceSelector:\n    matchLabels:\n      istio.io/dataplane-mode: ambient\n  podSelector:\n    matchExpressions:\n    - key: istio.io/dataplane-mode\n      operator: NotIn\n      values:\n      - none"
  EXCLUDE_NAMESPACES: "kube-system"
`

// TestEnrolmentByConfigMap holds that istio-cni's own ConfigMap decides who is enrolled, also when it comes and goes.
func TestEnrolmentByConfigMap(t *testing.T) {
	all := decode(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {mesh: \"on\"}}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}}\n")
	cni := decode(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: istio-cni-config, namespace: istio-system}, data: {AMBIENT_ENABLEMENT_SELECTOR: "[{namespaceSelector: {matchLabels: {mesh: \"on\"}}}]"}}`)[0]
	without := mesh.New(mesh.Options{}, all...)
	with := without.With(cni)
	for s, want := range map[*mesh.Snapshot]mesh.Mode{without: mesh.ModeNone, with: mesh.ModeAmbient, with.Without(cni): mesh.ModeNone} {
		if w := s.Workloads("shop"); len(w) != 1 || w[0].Mode != want {
			t.Errorf("the pod is %s (%s), want %s", w[0].Mode, w[0].Why, want)
		}
	}
}

func TestSettings(t *testing.T) {
	config := func(ns, text string) string {
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: " + ns + "}\ndata:\n  mesh: |\n    " + text + "\n"
	}
	istiod := "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: istiod, namespace: istio-system, labels: {app: istiod, istio.io/rev: canary}}, spec: {template: {spec: {containers: [{name: discovery, image: \"docker.io/istio/pilot:1.30.2-distroless\", env: [{name: A, value: \"true\"}, {name: B, value: \"0\"}, {name: C, value: \"perhaps\"}]}]}}}}\n"
	cni := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio-cni-config, namespace: kube-system}\ndata:\n  EXCLUDE_NAMESPACES: \"a, b\"\n  AMBIENT_ENABLEMENT_SELECTOR: |\n    - namespaceSelector:\n        matchLabels: {mesh: \"on\"}\n"
	tests := []struct {
		name    string
		options mesh.Options
		in      string
		check   func(*mesh.Settings) bool
	}{
		{"defaults", mesh.Options{}, "", func(t *mesh.Settings) bool {
			return t.RootNamespace == "istio-system" && t.TrustDomain == "cluster.local" && t.ClusterDomain == "cluster.local" && !t.MeshConfigKnown && t.Version.String() == "1.31"
		}},
		{"root namespace of the mesh config", mesh.Options{}, config("istio-system", "rootNamespace: policies"), func(t *mesh.Settings) bool { return t.RootNamespace == "policies" && t.MeshConfigKnown }},
		{"installed elsewhere", mesh.Options{}, config("mesh", "trustDomain: example.com"), func(t *mesh.Settings) bool { return t.RootNamespace == "mesh" && t.TrustDomain == "example.com" }},
		{"the root namespace is not where istiod is", mesh.Options{RootNamespace: "policies"}, config("istio-system", "trustDomain: example.com"), func(t *mesh.Settings) bool {
			return t.RootNamespace == "policies" && t.TrustDomain == "example.com" && t.MeshConfigKnown
		}},
		{"istiod by tag and digest", mesh.Options{}, strings.Replace(istiod, "-distroless", "@sha256:7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26", 1), func(t *mesh.Settings) bool {
			return t.Version.String() == "1.30.2"
		}},
		{"whom istio-cni captures", mesh.Options{}, cni, func(t *mesh.Settings) bool {
			return len(t.Enrolment) == 1 && t.Enrolment[0].Namespace.MatchLabels["mesh"] == "on" && strings.Join(t.ExcludedNamespaces, " ") == "a b" && t.EnrolmentFrom == "ConfigMap kube-system/istio-cni-config"
		}},
		{"whom istio-cni captures, as the chart has it", mesh.Options{}, "---\n" + chartCNI, func(t *mesh.Settings) bool {
			return len(t.Enrolment) == 2 && t.EnrolmentFrom == "" && strings.Join(t.ExcludedNamespaces, " ") == "kube-system"
		}},
		{"whom istio-cni captures, by option", mesh.Options{Enrolment: []mesh.EnrolmentSelector{}, ExcludedNamespaces: []string{}}, cni, func(t *mesh.Settings) bool {
			return len(t.Enrolment) == 0 && len(t.ExcludedNamespaces) == 0 && t.EnrolmentFrom == ""
		}},
		{"an option wins", mesh.Options{RootNamespace: "given", TrustDomain: "td"}, config("given", "{rootNamespace: policies, trustDomain: x}"), func(t *mesh.Settings) bool { return t.RootNamespace == "given" && t.TrustDomain == "td" }},
		{"no mesh config in it", mesh.Options{}, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: istio, namespace: istio-system}, data: {meshNetworks: \"{}\"}}\n", func(t *mesh.Settings) bool { return !t.MeshConfigKnown }},
		{"istiod", mesh.Options{}, istiod, func(t *mesh.Settings) bool {
			return t.Version.String() == "1.30.2" && t.Flag("A", false) && !t.Flag("B", true) && t.Flag("C", true) && !t.Flag("C", false) && t.Flag("D", true)
		}},
		{"version by option", mesh.Options{IstioVersion: "1.29"}, istiod, func(t *mesh.Settings) bool { return t.Version.String() == "1.29" && !t.Version.AtLeast(1, 30, 0) }},
		{"providers", mesh.Options{}, config("istio-system", "extensionProviders: [{name: a, envoyExtAuthzHttp: {service: x}}, {name: b, zipkin: {service: y}}]"), func(t *mesh.Settings) bool {
			return len(t.AuthorizationProviders) == 1 && t.AuthorizationProviders[0] == mesh.AuthorizationProvider{Name: "a", Service: "x", HTTP: true}
		}},
	}
	for _, tt := range tests {
		s := mesh.New(tt.options, decode(t, tt.in)...)
		if !tt.check(s.Settings()) {
			t.Errorf("%s: %+v", tt.name, *s.Settings())
		}
	}
}
