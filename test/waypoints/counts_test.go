//go:build cluster

package waypoints

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// counter is what a proxy's port for Prometheus answers, at an address of loopback that a pod is given for its own. Of loopback
// there are as many addresses as pods; they take no rights and leave nothing behind.
type counter struct {
	ip string

	mu   sync.Mutex
	text func() (string, error)
	lost bool
}

// count serves at a port of an address, 0 for any, as pilot-agent and ztunnel do (pilot/cmd/pilot-agent/status/server.go). The
// function that it returns is the port.
func count(t *testing.T, ip, port string, text func() (string, error)) (*counter, string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, port))
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{ip: ip, text: text}
	server := httptest.NewUnstartedServer(c)
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return c, port
}

func (c *counter) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in.URL.Path != "/stats/prometheus" {
		http.NotFound(out, in)
		return
	}
	text, err := c.text()
	if c.lost || err != nil {
		http.Error(out, "it is away", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(out, text)
}

// says has the proxy answer something else, and lose has it answer no more.
func (c *counter) says(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = func() (string, error) { return text, nil }
}

func (c *counter) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = true
}

// ztunnel counts connections as ztunnel does: two counters with all labels of each connection, in OpenMetrics whatever was asked for
// (ztunnel src/proxy/metrics.rs CommonTrafficLabels; tests/integration/ambient/baseline_test.go buildL4Query has them as Prometheus
// reads them).
type ztunnel struct {
	registry       *prometheus.Registry
	opened, closed *prometheus.CounterVec
}

var connectionLabels = []string{"reporter", "source_workload", "source_canonical_service", "source_canonical_revision", "source_workload_namespace",
	"source_principal", "source_app", "source_version", "source_cluster", "destination_service", "destination_service_namespace", "destination_service_name",
	"destination_workload", "destination_canonical_service", "destination_canonical_revision", "destination_workload_namespace", "destination_principal",
	"destination_app", "destination_version", "destination_cluster", "request_protocol", "response_flags", "connection_security_policy"}

func newZtunnel() *ztunnel {
	z := &ztunnel{prometheus.NewRegistry(),
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "istio_tcp_connections_opened_total", Help: "The total number of TCP connections opened."}, connectionLabels),
		prometheus.NewCounterVec(prometheus.CounterOpts{Name: "istio_tcp_connections_closed_total", Help: "The total number of TCP connections closed."}, connectionLabels)}
	z.registry.MustRegister(z.opened, z.closed)
	return z
}

func (z *ztunnel) text() (string, error) {
	families, err := z.registry.Gather()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	e := expfmt.NewEncoder(&out, expfmt.NewFormat(expfmt.TypeOpenMetrics))
	for _, f := range families {
		if err := e.Encode(f); err != nil {
			return "", err
		}
	}
	err = e.(expfmt.Closer).Close()
	return out.String(), err
}

// connection is one in a namespace with a shop: from web to cart past the waypoint as the pod's ztunnel sees it, or to the waypoint as
// web's does.
func connection(ns string, through bool) prometheus.Labels {
	of := prometheus.Labels{}
	for _, l := range connectionLabels {
		of[l] = "unknown"
	}
	set := map[string]string{"reporter": "destination", "source_workload": "web", "source_workload_namespace": ns, "source_principal": "spiffe://cluster.local/ns/" + ns + "/sa/web",
		"destination_service": "cart." + ns + ".svc.cluster.local", "destination_service_namespace": ns, "destination_service_name": "cart",
		"destination_workload": "cart", "destination_workload_namespace": ns, "destination_principal": "spiffe://cluster.local/ns/" + ns + "/sa/default",
		"request_protocol": "tcp", "response_flags": "-", "connection_security_policy": "mutual_tls"}
	if through {
		set["reporter"], set["destination_workload"], set["destination_principal"] = "source", "waypoint", "spiffe://cluster.local/ns/"+ns+"/sa/waypoint"
	}
	for l, v := range set {
		of[l] = v
	}
	return of
}

// open and end are a connection; one that is denied is both.
func (z *ztunnel) open(of prometheus.Labels) { z.opened.With(of).Inc() }

func (z *ztunnel) end(of prometheus.Labels, flags string) {
	of["response_flags"] = flags
	z.closed.With(of).Inc()
}

// envoy is what a waypoint's Envoy writes of n connections that pass it, with what its other listeners count: those within Envoy, and the one at
// port 15008, at which clients' ztunnels keep some for later (pkg/envoy/agent_test.go has the names as Envoy's admin has them, and
// tools/packaging/common/envoy_bootstrap.json what of them becomes a label).
func envoy(n int) string {
	return fmt.Sprintf(`# TYPE envoy_listener_downstream_cx_active gauge
envoy_listener_downstream_cx_active{listener_address="0.0.0.0_15008"} 5
# TYPE envoy_listener_envoy_internal_connect_originate_downstream_cx_active gauge
envoy_listener_envoy_internal_connect_originate_downstream_cx_active{} 4
# TYPE envoy_listener_envoy_internal_main_internal_downstream_cx_active gauge
envoy_listener_envoy_internal_main_internal_downstream_cx_active{} %[1]d
# TYPE envoy_listener_envoy_internal_main_internal_worker_0_downstream_cx_active gauge
envoy_listener_envoy_internal_main_internal_worker_0_downstream_cx_active{} %[1]d
`, n)
}

// address gives a pod that runs the address of a counter.
func (w *world) address(ns, pod, ip string) {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"status": map[string]any{"podIP": ip, "podIPs": []any{map[string]any{"ip": ip}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Dynamic.Resource(pods).Namespace(ns).Patch(w.t.Context(), pod, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "kubelet"}, "status"); err != nil {
		w.t.Fatal(err)
	}
}

// waypointPod is the pod of a waypoint that is ready.
func (w *world) waypointPod(ns string) *unstructured.Unstructured {
	w.t.Helper()
	list, err := w.Dynamic.Resource(pods).Namespace(ns).List(w.t.Context(), all)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range list.Items {
		if readyWaypoint(&list.Items[i]) {
			return &list.Items[i]
		}
	}
	w.t.Fatalf("namespace %s has no pod of a waypoint", ns)
	return nil
}
