//go:build cluster

package cluster

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const mesh = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny-delete, namespace: shop}
spec: {action: DENY, targetRefs: [{kind: Service, group: "", name: cart}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
`

// TestWaypointIsDeployed goes the whole way: istiod deploys a waypoint from a Gateway, the Service
// binds to it, and the policy is accepted.
func TestWaypointIsDeployed(t *testing.T) {
	c := Start(t, WithIstiod())
	if err := c.Apply(t.Context(), []byte(mesh)); err != nil {
		t.Fatal(err)
	}
	policies := schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "authorizationpolicies"}
	c.eventually(t, policies, "shop", "deny-delete", "WaypointAccepted")
	c.eventually(t, schema.GroupVersionResource{Version: "v1", Resource: "services"}, "shop", "cart", "istio.io/WaypointBound")
}

func (c *Cluster) eventually(t *testing.T, r schema.GroupVersionResource, ns, name, condition string) {
	t.Helper()
	var last any
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		o, err := c.Dynamic.Resource(r).Namespace(ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		last = conditions
		for _, x := range conditions {
			if m := x.(map[string]any); m["type"] == condition && m["status"] == "True" {
				return
			}
		}
	}
	t.Fatalf("%s %s/%s: no condition %s=True; it has %v", r.Resource, ns, name, condition, last)
}

// held asks for a node that no cluster has, so that the waypoint's pods never run.
const held = `
apiVersion: v1
kind: ConfigMap
metadata: {name: nowhere, namespace: shop}
data: {deployment: "spec: {template: {spec: {nodeSelector: {test.waywarden.dev/node: none}}}}"}
`

// TestHeldPodsStayUnready shows how a test keeps a waypoint from becoming ready.
func TestHeldPodsStayUnready(t *testing.T) {
	c := Start(t, WithIstiod())
	const class = "gatewayClassName: istio-waypoint, "
	with := strings.Replace(mesh, class, class+"infrastructure: {parametersRef: {group: \"\", kind: ConfigMap, name: nowhere}}, ", 1)
	namespace, rest, _ := strings.Cut(with, "---")
	if err := c.Apply(t.Context(), []byte(namespace+"---"+held+"---"+rest)); err != nil {
		t.Fatal(err)
	}
	policies := schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "authorizationpolicies"}
	reason, pods := "", []unstructured.Unstructured(nil)
	for deadline := time.Now().Add(30 * time.Second); reason == "" || len(pods) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s istiod has made %d pods and written the reason %q", len(pods), reason)
		}
		o, err := c.Dynamic.Resource(policies).Namespace("shop").Get(t.Context(), "deny-delete", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions"); len(conditions) > 0 {
			reason, _ = conditions[0].(map[string]any)["reason"].(string)
		}
		list, err := c.Dynamic.Resource(podResource).Namespace("shop").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pods = list.Items
	}
	if reason != "AncestorNotBound" {
		t.Errorf("reason %v, want AncestorNotBound", reason)
	}
	for _, p := range pods {
		if node, _, _ := unstructured.NestedString(p.Object, "spec", "nodeName"); node != "" {
			t.Errorf("Pod %s runs on %s", p.GetName(), node)
		}
	}
}

const childEnv = "WAYWARDEN_CLUSTER_CHILD"

// TestNothingIsLeftBehind kills a process that has a cluster, in the way that leaves it no chance
// to clean up, and looks for what it started.
func TestNothingIsLeftBehind(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		c, err := Run(context.Background(), WithIstiod())
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("\nready " + c.Logs + "\n")
		select {}
	}
	if _, err := Build(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNothingIsLeftBehind$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"=1", KubeconfigEnv+"=") // a cluster that was given leaves nothing behind
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	logs, said := "", ""
	for lines := bufio.NewScanner(out); lines.Scan(); said += lines.Text() + "\n" {
		if dir, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			logs = dir
			break
		}
	}
	defer os.RemoveAll(logs)
	if logs == "" {
		t.Fatalf("the child did not start a cluster: %s", said)
	}
	if n := len(running(t, logs)); n < 4 {
		t.Fatalf("%d processes of the child run, too few for this test to mean anything", n)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, which is what was asked for
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		left := running(t, logs)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left running: %q", left)
		}
	}
}

// running are the processes whose command line or folder names the cluster's own folder.
func running(t *testing.T, logs string) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range dirs {
		cmdline, _ := os.ReadFile(filepath.Join(d, "cmdline")) // a process may be gone by now
		cwd, _ := os.Readlink(filepath.Join(d, "cwd"))
		if strings.Contains(string(cmdline), logs) || cwd == logs {
			out = append(out, strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return out
}
