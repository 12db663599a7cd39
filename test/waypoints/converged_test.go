//go:build cluster

package waypoints

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"istio.io/api/label"
)

const (
	addressType       = "type.googleapis.com/istio.workload.Address"
	authorizationType = "type.googleapis.com/istio.security.Authorization"
	clusterType       = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	listenerType      = "type.googleapis.com/envoy.config.listener.v3.Listener"
)

// ztunnelPod is a ztunnel: the pod is kwok's, and connected is a proxy that says to be it.
const ztunnelPod = `
apiVersion: v1
kind: Pod
metadata: {name: ztunnel-1, namespace: istio-system, labels: {app: ztunnel}}
spec: {containers: [{name: istio-proxy, image: ztunnel}]}
`

// TestAwaitsProxies: a step that has to wait for the proxies waits until istiod says that each of them has taken it, and no
// longer. The waypoint is not removed while a ztunnel has not acknowledged that nothing is bound to it.
func TestAwaitsProxies(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.apply(ztunnelPod)
	zt := connect(t, w.IstiodXDS, "ztunnel", "ztunnel-1", "istio-system", "10.0.0.250", addressType, authorizationType)
	w.replica("--istiod-debug", "urls", "--istiod-url", w.IstiodURL, "--istiod-settle", "3s", "--waypoint-drain", "1s")
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	verified := func() bool { return condition(w.get(profiles, "", "default"), "Verified") == "True" }
	connected := func() {
		list, err := w.Dynamic.Resource(pods).Namespace("shop").List(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			if p := &list.Items[i]; readyWaypoint(p) {
				connect(t, w.IstiodXDS, "waypoint", p.GetName(), "shop", field(p, "status.podIP"), clusterType, listenerType)
			}
		}
	}
	w.until("it is said that a waypoint's pod is not connected", 20*time.Second, func() bool {
		return strings.Contains(field(w.get(profiles, "", "default"), "status"), "is not connected to any istiod")
	})
	connected()
	w.until("all proxies have taken the label", 30*time.Second, func() bool { return verified() && condition(w.get(profiles, "", "default"), "Ready") == "True" })

	if err := zt.silence(true); err != nil {
		t.Fatal(err)
	}
	w.delete(policies, "shop", "deny-get")
	w.until("the label is gone", 20*time.Second, func() bool { return w.get(namespaces, "", "shop").GetLabels()[label.IoIstioUseWaypoint.Name] == "" })
	time.Sleep(8 * time.Second) // more than settling and draining take
	if w.get(gateways, "shop", "waypoint") == nil {
		t.Error("the waypoint is gone, and a ztunnel may still send to it")
	}
	if !strings.Contains(field(w.get(profiles, "", "default"), "status"), "ztunnel-1.istio-system has not yet taken") {
		t.Errorf("it is not said who is waited for: %s", field(w.get(profiles, "", "default"), "status"))
	}
	if err := zt.silence(false); err != nil {
		t.Fatal(err)
	}
	took := w.until("the waypoint is gone", 30*time.Second, func() bool { return w.get(gateways, "shop", "waypoint") == nil })
	t.Logf("gone %s after the ztunnel acknowledged", took)
}
