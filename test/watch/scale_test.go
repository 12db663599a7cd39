//go:build cluster

package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/memory"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
)

// watcherEnv names the kubeconfig of the cluster that this process watches, instead of running tests: memory is
// measured in a process that does nothing else.
const watcherEnv = "WAYWARDEN_TEST_WATCHER"

func TestMain(m *testing.M) {
	if file := os.Getenv(watcherEnv); file != "" {
		if err := watcher(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// footprint is what a watcher tells of itself.
type footprint struct {
	Objects       int
	Seconds       float64 // from start to ready
	Resident, Top int     // MiB, when ready and at most
	Live          int     // MiB of the heap after a collection
	Released      int     // MiB resident once the garbage has gone back to the machine, as serve lets it
}

// watcher watches a cluster until it is synced, and tells what that took.
func watcher(file string) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		return err
	}
	live, err := inventory.Watch(cfg, inventory.WatchOptions{})
	if err != nil {
		return err
	}
	limits := memory.Limit(slog.New(slog.DiscardHandler), os.Getenv)
	defer limits.Stop()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	go func() { _ = live.Start(ctx) }()
	if err := live.WaitForSync(ctx); err != nil {
		return err
	}
	out := footprint{Seconds: time.Since(began).Seconds(), Objects: live.Snapshot().Len()}
	for ns := range live.Snapshot().Namespaces() {
		live.Snapshot().Workloads(ns) // what the first answers remember
	}
	if out.Resident, out.Top, err = residentMemory(); err != nil {
		return err
	}
	limits.Serve()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	out.Live = int(m.HeapAlloc >> 20)
	if out.Released, _, err = residentMemory(); err != nil {
		return err
	}
	runtime.KeepAlive(live)
	return json.NewEncoder(os.Stdout).Encode(out)
}

// residentMemory is the resident memory of this process, now and at most, in MiB.
func residentMemory() (now, most int, err error) {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) == 3 && (f[0] == "VmRSS:" || f[0] == "VmHWM:") {
			kib, err := strconv.Atoi(f[1])
			if err != nil {
				return 0, 0, err
			}
			if f[0] == "VmRSS:" {
				now = kib >> 10
			} else {
				most = kib >> 10
			}
		}
	}
	return now, most, nil
}

// BenchmarkFootprint fills a real API server with 5,000 Services, 50,000 Pods and 10,000 AuthorizationPolicies in 500
// namespaces, or that many hundredths of it as SCALE says, and lets a process watch it.
func BenchmarkFootprint(b *testing.B) {
	percent := 100
	if text := os.Getenv("SCALE"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		percent = n
	}
	c := cluster.Start(b, cluster.Own())
	if err := fill(b.Context(), c, 5*percent); err != nil {
		b.Fatal(err)
	}
	for _, gogc := range []string{"", "100"} { // as serve asks for, and as Go does by default
		b.Run("GOGC="+gogc, func(b *testing.B) { measure(b, c.Kubeconfig, gogc) })
	}
	b.Run("serve", func(b *testing.B) { serveWhole(b, c) })
}

func measure(b *testing.B, kubeconfig, gogc string) {
	for b.Loop() {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), watcherEnv+"="+kubeconfig, "GOGC="+gogc)
		cmd.Stderr = os.Stderr
		raw, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var f footprint
		if err := json.Unmarshal(raw, &f); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(f.Objects), "objects")
		b.ReportMetric(f.Seconds, "s-to-ready")
		b.ReportMetric((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), "s-processor")
		b.ReportMetric(float64(f.Resident), "MiB-resident")
		b.ReportMetric(float64(f.Top), "MiB-at-most")
		b.ReportMetric(float64(f.Live), "MiB-live")
		b.ReportMetric(float64(f.Released), "MiB-released")
	}
}

// fill makes namespaces of ten apps.
func fill(ctx context.Context, c *cluster.Cluster, namespaces int) error {
	next := make(chan int)
	var group sync.WaitGroup
	var failed sync.Once
	var first error
	for range 16 {
		group.Go(func() {
			for n := range next {
				if err := fillNamespace(ctx, c, fmt.Sprintf("ns-%04d", n)); err != nil {
					failed.Do(func() { first = err })
				}
			}
		})
	}
	for n := range namespaces {
		next <- n
	}
	close(next)
	group.Wait()
	return first
}

func fillNamespace(ctx context.Context, c *cluster.Cluster, ns string) error {
	if err := create(ctx, c, mesh.Namespace, "", ns, `metadata: {labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}`); err != nil {
		return err
	}
	for a := range 10 {
		app := fmt.Sprintf("app-%d", a)
		if err := create(ctx, c, mesh.Service, ns, app, fmt.Sprintf(`{metadata: {labels: {app: %s}, annotations: {example.com/team: one}}, spec: {selector: {app: %[1]s}, ports: [{name: http, port: 80}]}}`, app)); err != nil {
			return err
		}
		for i := range 2 {
			if err := create(ctx, c, mesh.AuthorizationPolicy, ns, fmt.Sprintf("%s-%d", app, i), fmt.Sprintf(`{metadata: {labels: {app.kubernetes.io/managed-by: gitops}}, spec: {action: ALLOW,
				targetRefs: [{kind: Service, group: "", name: %s}], rules: [{from: [{source: {principals: [cluster.local/ns/%s/sa/web]}}], to: [{operation: {methods: [GET], paths: ["/api/*"]}}]}]}}`, app, ns)); err != nil {
				return err
			}
		}
		for i := range 10 {
			if err := create(ctx, c, mesh.Pod, ns, fmt.Sprintf("%s-7d9c8b6f5-%05d", app, i), fmt.Sprintf(podText, app)); err != nil {
				return err
			}
		}
	}
	return nil
}

// podText is a Pod of an app that no kubelet has met yet.
const podText = `
metadata:
  labels: {app: %s, version: v1, pod-template-hash: 7d9c8b6f5}
  annotations: {ambient.istio.io/redirection: enabled}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: %[1]s-7d9c8b6f5, uid: "5b5f2a3e-6c1d-4f77-8a33-000000000000", controller: true}]
spec:
  serviceAccountName: %[1]s
  containers:
  - {name: %[1]s, image: "registry.example.com/%[1]s:1.2.3", env: [{name: LOG_LEVEL, value: info}], ports: [{name: http, containerPort: 8080}],
     readinessProbe: {httpGet: {path: /ready, port: 8080}}, volumeMounts: [{name: v, mountPath: /v}]}
  volumes: [{name: v, emptyDir: {}}]
`

func create(ctx context.Context, c *cluster.Cluster, kind mesh.Kind, ns, name, text string) error {
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		return err
	}
	o.SetAPIVersion(kind.APIVersion())
	o.SetKind(kind.String())
	o.SetName(name)
	o.SetNamespace(ns)
	_, err := at(c.Dynamic.Resource(gvr(kind)), ns).Create(ctx, o, metav1.CreateOptions{})
	return err
}
