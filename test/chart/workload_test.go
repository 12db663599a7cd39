package chart

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"istio.io/api/label"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const deployment = "Deployment waywarden"

func TestDeployment(t *testing.T) {
	all := render(t, "")
	d := into[appsv1.Deployment](t, all, deployment)
	pod, c := d.Spec.Template.Spec, d.Spec.Template.Spec.Containers[0]
	if *d.Spec.Replicas != 2 || len(pod.TopologySpreadConstraints) != 2 || pod.PriorityClassName != "system-cluster-critical" {
		t.Errorf("%d replicas, spread by %v, priority %q", *d.Spec.Replicas, pod.TopologySpreadConstraints, pod.PriorityClassName)
	}
	if s := c.SecurityContext; !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("security context %v", s)
	}
	if c.ReadinessProbe == nil || c.LivenessProbe == nil || c.StartupProbe == nil || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/healthz" {
		t.Error("a probe is missing, or asks the wrong question")
	}
	// Waywarden takes nine tenths of the container's limit by itself, and whatever the environment says in place of that.
	if slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" }) {
		t.Error("the garbage collector is told of a limit at which the container is killed")
	}
	// A policy of the mesh must not cut the API server off from the webhook.
	l := d.Spec.Template.Labels
	if l[label.IoIstioDataplaneMode.Name] != "none" || l[label.SidecarInject.Name] != "false" {
		t.Errorf("the pods may be in the mesh: %v", l)
	}
	if all["ServiceAccount waywarden"].Object["automountServiceAccountToken"] != false {
		t.Error("every pod of the account gets a token")
	}
}

// TestTracing: where spans are sent the binary is told, and may send them; nowhere by default.
func TestTracing(t *testing.T) {
	for values, want := range map[string]struct {
		env    []string
		egress int
	}{
		"": {nil, 3},
		"tracing: {endpoint: 'http://collector.observability:4318'}": {[]string{"http://collector.observability:4318"}, 4},
	} {
		all := render(t, values)
		var env []string
		for _, e := range into[appsv1.Deployment](t, all, deployment).Spec.Template.Spec.Containers[0].Env {
			if e.Name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
				env = append(env, e.Value)
			}
		}
		egress := into[networkingv1.NetworkPolicy](t, all, "NetworkPolicy waywarden").Spec.Egress
		if !slices.Equal(env, want.env) || len(egress) != want.egress {
			t.Errorf("%q: spans go to %v, and %d rules let something out", values, env, len(egress))
		}
	}
}

// TestProxyMetrics: the binary may read what proxies count exactly where it is told to.
func TestProxyMetrics(t *testing.T) {
	for values, want := range map[string]bool{
		"":                                       true,
		"waypoints: {proxies: {metrics: false}}": false,
		"waypoints: {provision: false}":          false,
		"waypoints: {provision: true, proxies: {metrics: true, port: 42}}": true,
	} {
		all := render(t, values)
		args := into[appsv1.Deployment](t, all, deployment).Spec.Template.Spec.Containers[0].Args
		port := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--proxy-metrics-port=") })
		told := slices.Contains(args, "--proxy-metrics=pods") && port >= 0
		allowed := slices.ContainsFunc(into[networkingv1.NetworkPolicy](t, all, "NetworkPolicy waywarden").Spec.Egress, func(e networkingv1.NetworkPolicyEgressRule) bool {
			return told && len(e.Ports) == 1 && e.Ports[0].Port.String() == strings.TrimPrefix(args[port], "--proxy-metrics-port=") && len(e.To) == 2
		})
		if told != want || allowed != want {
			t.Errorf("%q: told %v, allowed %v", values, told, allowed)
		}
	}
}

// TestPortsMeet: who is called, by which Service, is who listens, and may be called.
func TestPortsMeet(t *testing.T) {
	all := render(t, "")
	pod := into[appsv1.Deployment](t, all, deployment).Spec.Template
	ports := map[string]int32{}
	for _, p := range pod.Spec.Containers[0].Ports {
		ports[p.Name] = p.ContainerPort
	}
	for arg, port := range map[string]string{"--webhook-addr=:9443": "webhook", "--metrics-addr=:8080": "metrics", "--health-addr=:8081": "health"} {
		if !slices.Contains(pod.Spec.Containers[0].Args, arg) || !strings.HasSuffix(arg, ":"+strconv.Itoa(int(ports[port]))) {
			t.Errorf("port %s is %d, and the arguments are %v", port, ports[port], pod.Spec.Containers[0].Args)
		}
	}
	for key, port := range map[string]string{"Service waywarden": "webhook", "Service waywarden-metrics": "metrics"} {
		s := into[corev1.Service](t, all, key)
		if s.Spec.Ports[0].TargetPort.StrVal != port {
			t.Errorf("%s goes to %v", key, s.Spec.Ports[0].TargetPort)
		}
		for k, v := range s.Spec.Selector {
			if pod.Labels[k] != v {
				t.Errorf("%s selects no pod: %v of %v", key, s.Spec.Selector, pod.Labels)
			}
		}
	}
	n := into[networkingv1.NetworkPolicy](t, all, "NetworkPolicy waywarden")
	var open []string
	for _, r := range n.Spec.Ingress {
		open = append(open, r.Ports[0].Port.StrVal)
	}
	if !slices.Equal(open, []string{"webhook", "metrics"}) || len(n.Spec.Ingress[0].From) != 0 {
		t.Errorf("the network policy opens %v, the first to %v", open, n.Spec.Ingress[0].From)
	}
	b := into[policyv1.PodDisruptionBudget](t, all, "PodDisruptionBudget waywarden")
	if b.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("a drain may take %v pods", b.Spec.MaxUnavailable)
	}
}

// TestCertManager: the certificate is for the name that the API server calls, and is mounted where it is read.
func TestCertManager(t *testing.T) {
	all := render(t, variants["cert-manager"])
	certificate := all["Certificate waywarden"].Object["spec"].(map[string]any)
	if names := certificate["dnsNames"].([]any); len(names) != 1 || names[0] != "waywarden."+namespace+".svc" {
		t.Errorf("the certificate is for %v", names)
	}
	pod := into[appsv1.Deployment](t, all, deployment).Spec.Template.Spec
	if pod.Volumes[0].Secret.SecretName != certificate["secretName"] || pod.Containers[0].VolumeMounts[0].MountPath != "/tls" ||
		!slices.Contains(pod.Containers[0].Args, "--cert-dir=/tls") || !slices.Contains(pod.Containers[0].Args, "--cert=files") {
		t.Errorf("volumes %v at %v, arguments %v", pod.Volumes, pod.Containers[0].VolumeMounts, pod.Containers[0].Args)
	}
	// A mount by subPath would never see a renewed certificate.
	if pod.Containers[0].VolumeMounts[0].SubPath != "" {
		t.Error("the certificate is mounted by subPath")
	}
	if issuer := certificate["issuerRef"].(map[string]any); all["Issuer "+issuer["name"].(string)] == nil {
		t.Errorf("nobody made the issuer %v", issuer)
	}
	for key := range render(t, variants["own issuer"]) {
		if strings.HasPrefix(key, "Issuer") {
			t.Errorf("%s is made, and nobody asks for it", key)
		}
	}
	for key := range render(t, "") {
		if strings.HasPrefix(key, "Issuer") || strings.HasPrefix(key, "Certificate") {
			t.Errorf("%s is made for a self-signed certificate", key)
		}
	}
}

// TestGarbage: what is asked of the garbage collector arrives, and nothing where nothing is asked.
func TestGarbage(t *testing.T) {
	for values, want := range map[string]string{"": "", "gogc: 100": "100"} {
		got := ""
		for _, e := range into[appsv1.Deployment](t, render(t, values), deployment).Spec.Template.Spec.Containers[0].Env {
			if e.Name == "GOGC" {
				got = e.Value
			}
		}
		if got != want {
			t.Errorf("%q: GOGC=%q", values, got)
		}
	}
}

// TestClientCertificate: the CA by which callers are told is mounted where it is read, beside the serving certificate or alone.
func TestClientCertificate(t *testing.T) {
	const asked = "clientCertificate: {configMap: api-server, key: bundle.pem, name: kube-apiserver}"
	for variant, values := range map[string]string{"self-signed": asked, "cert-manager": variants["cert-manager"] + "\n" + asked} {
		pod := into[appsv1.Deployment](t, render(t, values), deployment).Spec.Template.Spec
		args := pod.Containers[0].Args
		if !slices.Contains(args, "--client-ca=/client-ca/ca.crt") || !slices.Contains(args, "--client-name=kube-apiserver") {
			t.Errorf("%s: arguments %v", variant, args)
		}
		v, m := pod.Volumes[len(pod.Volumes)-1], pod.Containers[0].VolumeMounts[len(pod.Volumes)-1]
		if v.ConfigMap == nil || v.ConfigMap.Name != "api-server" || v.ConfigMap.Items[0].Key != "bundle.pem" || v.ConfigMap.Items[0].Path != "ca.crt" || m.Name != v.Name || m.MountPath != "/client-ca" {
			t.Errorf("%s: volume %v at %v", variant, v, m)
		}
	}
	for _, arg := range into[appsv1.Deployment](t, render(t, ""), deployment).Spec.Template.Spec.Containers[0].Args {
		if strings.HasPrefix(arg, "--client") {
			t.Errorf("nobody asked for %s", arg)
		}
	}
}

// TestRegistry: the credentials and the CA of registries are mounted where they are read, and their ports are let through.
func TestRegistry(t *testing.T) {
	const asked = "rules: {registry: {secret: pull, ca: corporate, ports: [5000]}}"
	for variant, values := range map[string]string{"alone": asked, "cert-manager": variants["cert-manager"] + "\n" + asked} {
		all := render(t, values)
		pod := into[appsv1.Deployment](t, all, deployment).Spec.Template.Spec
		c := pod.Containers[0]
		volumes := map[string]corev1.Volume{}
		for _, v := range pod.Volumes {
			volumes[v.Name] = v
		}
		mounts := map[string]string{}
		for _, m := range c.VolumeMounts {
			mounts[m.MountPath] = m.Name
		}
		secret, ca := volumes[mounts["/registry"]].Secret, volumes[mounts["/registry-ca"]].ConfigMap
		if secret == nil || secret.SecretName != "pull" || secret.Items[0] != (corev1.KeyToPath{Key: ".dockerconfigjson", Path: "config.json"}) ||
			!slices.Contains(c.Args, "--registry-config=/registry/config.json") {
			t.Errorf("%s: credentials %v, arguments %v", variant, secret, c.Args)
		}
		if ca == nil || ca.Name != "corporate" || !slices.Contains(c.Env, corev1.EnvVar{Name: "SSL_CERT_DIR", Value: "/registry-ca"}) {
			t.Errorf("%s: CA %v, environment %v", variant, ca, c.Env)
		}
		egress := into[networkingv1.NetworkPolicy](t, all, "NetworkPolicy waywarden").Spec.Egress
		if last := egress[len(egress)-1]; len(egress) != 4 || len(last.Ports) != 1 || last.Ports[0].Port.IntValue() != 5000 || len(last.To) > 0 {
			t.Errorf("%s: let out is %+v", variant, egress)
		}
	}
	pod := into[appsv1.Deployment](t, render(t, ""), deployment).Spec.Template.Spec
	if len(pod.Volumes) > 0 || slices.ContainsFunc(pod.Containers[0].Args, func(a string) bool { return strings.HasPrefix(a, "--registry") }) {
		t.Errorf("nobody asked for %v, %v", pod.Volumes, pod.Containers[0].Args)
	}
}

// TestAlerts: the rules that promtool tests are those that are rendered, with Prometheus' own templates untouched.
func TestAlerts(t *testing.T) {
	all := render(t, variants["monitored"])
	rendered := all["PrometheusRule waywarden"].Object["spec"].(map[string]any)
	tested := parse(t, string(must(os.ReadFile(dir+"/files/alerts.yaml"))))
	if got, want := string(must(json.Marshal(rendered))), string(must(json.Marshal(tested))); got != want || !strings.Contains(got, "{{ $labels.pod }}") {
		t.Errorf("rendered\n%s\ntested\n%s", got, want)
	}
	monitor := all["ServiceMonitor waywarden"].Object["spec"].(map[string]any)
	selector := monitor["selector"].(map[string]any)["matchLabels"].(map[string]any)
	for name, want := range map[string]bool{"Service waywarden-metrics": true, "Service waywarden": false} {
		matches := true
		for k, v := range selector {
			matches = matches && all[name].GetLabels()[k] == v
		}
		if matches != want {
			t.Errorf("%s is scraped: %t", name, matches)
		}
	}
}

// TestEveryAlertFires: promtool is shown a cause for each alert, and a replica that is well for each.
func TestEveryAlertFires(t *testing.T) {
	var rules struct {
		Groups []struct{ Rules []struct{ Alert string } }
	}
	var tests struct {
		Tests []struct {
			Cases []struct {
				Alert  string `json:"alertname"`
				Expect []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	for path, into := range map[string]any{dir + "/files/alerts.yaml": &rules, "../alerts/alerts.yaml": &tests} {
		if err := yaml.Unmarshal(must(os.ReadFile(path)), into); err != nil {
			t.Fatal(err)
		}
	}
	shown := map[string][2]bool{} // whether it was shown to be silent, and to fire
	for _, test := range tests.Tests {
		for _, c := range test.Cases {
			s := shown[c.Alert]
			s[min(len(c.Expect), 1)] = true
			shown[c.Alert] = s
		}
	}
	for _, r := range rules.Groups[0].Rules {
		if shown[r.Alert] != [2]bool{true, true} {
			t.Errorf("%s: shown to be silent and to fire: %v", r.Alert, shown[r.Alert])
		}
	}
}
