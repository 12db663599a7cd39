//go:build cluster

package waypoints

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

// inMode is a Guardrail for one namespace.
const inMode = `
apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: %[1]s}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
  checks: [{ids: ["*"], action: %[3]s}]
  waypoints: {mode: %[2]s}
`

// silent is a headless Service over the pods of a shop, and denySilent a policy for it that nobody can ever carry out: who calls the
// pods themselves passes no chain of the Service at any waypoint.
const (
	silent = `
apiVersion: v1
kind: Service
metadata: {name: silent, namespace: %[1]s}
spec: {clusterIP: None, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
`
	denySilent = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny-silent, namespace: %[1]s}
spec:
  action: DENY
  targetRefs: [{group: "", kind: Service, name: silent}]
  rules: [{to: [{operation: {methods: [GET]}}]}]
`
)

// TestModes: side by side, one namespace requires, one provides and one observes. Where it is required a policy that can never take
// effect is denied, and one that waits is admitted and reported until its owner has made what it waits for; where it is provided that is
// made; where it is observed the finding has the manifests. A headless Service has nothing made for it anywhere, and whoever asks for it hears why.
func TestModes(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.serveReports()
	r := w.replica(hurry...)
	shops := []string{"observed", "provided", "required"}
	w.apply(fmt.Sprintf(profile, "{}") + "---" + fmt.Sprintf(inMode, "required", "Require", "Deny") + "---" + fmt.Sprintf(inMode, "provided", "Provision", "Warn") +
		"---" + fmt.Sprintf(inMode, "observed", "Observe", "Warn"))
	for _, ns := range shops {
		w.apply(fmt.Sprintf(shop, ns) + "---" + fmt.Sprintf(silent, ns))
	}
	client, said := w.warned()
	for _, ns := range shops {
		objects, err := cluster.Objects(fmt.Appendf(nil, denySilent+"---"+denyGet, ns))
		if err != nil {
			t.Fatal(err)
		}
		never, waits := objects[0], objects[1]
		said.take()
		_, err = client.Resource(policies).Namespace(ns).Create(t.Context(), never, metav1.CreateOptions{})
		text := fmt.Sprint(err, said.take())
		if (err != nil) != (ns == "required") || !strings.Contains(text, "silent is headless, so its clients connect to pods") {
			t.Errorf("%s: of what can never take effect it is said %q", ns, text)
		}
		if strings.Contains(text, "will be made") || strings.Contains(text, "Make a waypoint, then") {
			t.Errorf("%s: of what can never take effect it is said that a waypoint would help: %q", ns, text)
		}
		if w.get(policies, ns, "deny-silent") == nil != (ns == "required") {
			t.Errorf("%s: what can never take effect is stored, or not", ns)
		}
		if _, err := client.Resource(policies).Namespace(ns).Create(t.Context(), waits, metav1.CreateOptions{}); err != nil {
			t.Errorf("%s: what waits is denied: %v", ns, err)
		}
		if text := said.take(); strings.Contains(text, "Gateway "+ns+"/waypoint will be made") != (ns == "provided") || !strings.Contains(text, "Service "+ns+"/cart is not bound to a waypoint") {
			t.Errorf("%s: of what waits it is said %q", ns, text)
		}
	}
	w.takesEffect("provided")
	w.until("the Gateway says who needs it", 20*time.Second, func() bool {
		return strings.Contains(field(w.get(gateways, "provided", "waypoint"), "status.conditions"), "AuthorizationPolicy provided/deny-get for Service provided/cart")
	})
	if text := field(w.get(gateways, "provided", "waypoint"), "status.conditions"); strings.Contains(text, "silent") {
		t.Errorf("the headless Service is a reason for a waypoint: %s", text)
	}
	for _, ns := range []string{"observed", "required"} {
		w.until("it is reported in "+ns+" what waits", 30*time.Second, func() bool {
			return strings.Contains(w.reported(ns, "effect/target-not-bound"), "Service "+ns+"/cart is not bound to a waypoint")
		})
		if w.get(gateways, ns, "waypoint") != nil || w.get(namespaces, "", ns).GetLabels()[label.IoIstioUseWaypoint.Name] != "" {
			t.Errorf("something was made in %s", ns)
		}
	}
	text := w.found("observed")
	if slices.ContainsFunc([]string{`"name":"deny-get"`, `"kind":"Gateway"`, `"istio.io/use-waypoint":"waypoint"`, `"gatewayClassName":"istio-waypoint"`}, func(word string) bool { return !strings.Contains(text, word) }) {
		t.Errorf("the findings of what is observed have no manifests of what is to be made: %s", text)
	}
	for ns, check := range map[string]string{"observed": "effect/target-not-bound", "provided": "effect/unreachable-service"} { // the label of the Namespace binds it too
		w.until("it is reported in "+ns+" that nobody carries out what is for a headless Service", 30*time.Second, func() bool {
			return strings.Contains(w.reported(ns, check), "silent is headless")
		})
	}
	for _, c := range writes(r.since(time.Time{})) {
		if strings.Contains(c.path, "waywarden-waypoints") && !strings.Contains(c.path, "/provided") {
			t.Errorf("it was tried to write where nobody has it provide: %s", c)
		}
	}

	// Its owner makes what the policy waits for.
	w.apply(strings.ReplaceAll(fmt.Sprintf(ownWaypoint, "required"), "by-hand", "waypoint"))
	w.until("the owner's waypoint is programmed", 30*time.Second, func() bool { return condition(w.get(gateways, "required", "waypoint"), "Programmed") == "True" })
	w.label("required", "cart", map[string]any{label.IoIstioUseWaypoint.Name: "waypoint"})
	w.takesEffect("required")
	w.until("it is reported as resolved", 30*time.Second, func() bool {
		text := w.reported("required", "effect/target-not-bound")
		return strings.Contains(text, "result:pass") && strings.Contains(text, "resolvedAt") && !strings.Contains(text, "result:fail")
	})
}

// found are the findings of a namespace, as JSON without spaces.
func (w *world) found(ns string) string {
	w.t.Helper()
	file, err := serving.Built()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := exec.CommandContext(w.t.Context(), file, "scan", "--kubeconfig", w.Kubeconfig, "-n", ns, "-o", "json", "--fail-on", "never").Output()
	if err != nil {
		w.t.Fatalf("waywarden scan: %v", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, out); err != nil {
		w.t.Fatalf("read what waywarden scan says: %v", err)
	}
	return compact.String()
}
