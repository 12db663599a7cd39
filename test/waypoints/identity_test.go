//go:build cluster

package waypoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"istio.io/api/label"
)

// allowFront is about who calls, which ztunnel sees no longer once the calls come through a waypoint.
const allowFront = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow-front, namespace: %[1]s}
spec:
  selector: {matchLabels: {app: cart}}
  rules: [{from: [{source: {principals: [cluster.local/ns/%[1]s/sa/front]}}]}]
`

// TestIdentity: what is said of clients at ztunnel is said at the waypoint, and the waypoint is let in, before anything is bound;
// when the waypoint goes, so does that, and the user's policy stays as it was written.
func TestIdentity(t *testing.T) {
	t.Parallel()
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(allowFront, "shop"))
	theirs := func() string {
		o := w.get(policies, "shop", "allow-front")
		return fmt.Sprint(o.GetGeneration(), o.GetLabels(), o.GetAnnotations(), field(o, "spec"))
	}
	before, generation := w.inventory("shop"), theirs()
	w.apply(fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	roles := w.roles("shop")
	if roles["twin"] == nil || roles["admission"] == nil {
		t.Fatalf("policies of ours: %v", roles)
	}
	if condition(roles["twin"], "WaypointAccepted") != "True" || condition(roles["admission"], "ZtunnelAccepted") != "True" {
		w.until("istiod accepts both", 20*time.Second, func() bool {
			return condition(w.get(policies, "shop", roles["twin"].GetName()), "WaypointAccepted") == "True" &&
				condition(w.get(policies, "shop", roles["admission"].GetName()), "ZtunnelAccepted") == "True"
		})
	}
	if !strings.Contains(field(roles["twin"], "spec"), "sa/front") || !strings.Contains(field(roles["admission"], "spec"), "sa/waypoint") {
		t.Errorf("the twin says %s, the admission %s", field(roles["twin"], "spec"), field(roles["admission"], "spec"))
	}
	order := written(r)
	t.Log(strings.Join(order, "\n"))
	if !slices.IsSortedFunc(order, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) }) {
		t.Error("the order is another one: twin, admission, label")
	}

	w.delete(policies, "shop", "deny-get")
	w.until("the waypoint is gone", time.Minute, func() bool { return w.get(gateways, "shop", "waypoint") == nil })
	w.until("everything is as it was", 20*time.Second, func() bool { return fmt.Sprint(w.inventory("shop")) == fmt.Sprint(before) })
	if theirs() != generation {
		t.Errorf("the user's policy was changed: %s, before: %s", theirs(), generation)
	}
}

// written are the first writes of a replica to each object, in their order, but for what it only tells of one.
func written(r replica) []string {
	var out []string
	for _, c := range writes(r.since(time.Time{})) {
		path, _, _ := strings.Cut(c.path, "?")
		if c.status < 300 && strings.Contains(c.path, "waywarden-waypoints") && !strings.HasSuffix(path, "/status") && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	return out
}

// rank is where in the order an object is written.
func rank(path string) int {
	switch {
	case strings.Contains(path, "/gateways/"):
		return 0
	case strings.Contains(path, "/authorizationpolicies/") && strings.Contains(path, "twin"):
		return 1
	case strings.Contains(path, "/authorizationpolicies/"):
		return 2
	}
	return 3
}

// TestGuard: with bypass: Guard only the waypoint is let in at ztunnel, once the Service is bound; and the guard is gone before
// the label.
func TestGuard(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, ", bypass: Guard") + "---" + fmt.Sprintf(shop, "shop") + "---" + fmt.Sprintf(denyGet, "shop"))
	w.takesEffect("shop")
	guard := func() *unstructured.Unstructured { return w.roles("shop")["guard"] }
	w.until("the guard is there", 30*time.Second, func() bool { return guard() != nil && condition(guard(), "ZtunnelAccepted") == "True" })
	if spec := field(guard(), "spec"); !strings.Contains(spec, "ns/shop/sa/waypoint") {
		t.Errorf("the guard says %s", spec)
	}
	w.delete(policies, "shop", "deny-get")
	bound := func() bool {
		return w.get(namespaces, "", "shop").GetLabels()[label.IoIstioUseWaypoint.Name] != ""
	}
	w.until("the guard is gone", time.Minute, func() bool { return guard() == nil })
	if !bound() {
		t.Error("the label went before the guard: whoever is not the waypoint was shut out")
	}
	w.until("the waypoint is gone", time.Minute, func() bool { return w.get(gateways, "shop", "waypoint") == nil })
}
