//go:build cluster

package waypoints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"istio.io/api/label"
)

// dethrone kills a leader, which leaves it no time for anything, and has its lease run out at once.
func (w *world) dethrone(r replica) {
	w.t.Helper()
	r.Kill()
	w.balancer.Remove(r.Addr)
	err := w.Dynamic.Resource(leases).Namespace("waywarden-system").Delete(w.t.Context(), "waywarden", metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		w.t.Fatal(err)
	}
}

// TestKilledAtEachStep: the leader is killed right after each of its writes, and the next one finishes, there and back.
func TestKilledAtEachStep(t *testing.T) {
	w := start(t)
	w.apply(fmt.Sprintf(profile, "{retainFor: 1s, replicas: 2}") + "---" + fmt.Sprintf(guardrail, "") + "---" + fmt.Sprintf(shop, "shop"))
	before := map[string]string{}
	w.until("the namespace is settled", 10*time.Second, func() bool {
		now := w.inventory("shop")
		same := len(now) == len(before)
		before = now
		return same && len(now) > 4
	})
	w.apply(fmt.Sprintf(denyGet, "shop"))
	step := func(what string, done func() bool) {
		r := w.replica(hurry...)
		w.until(what, 40*time.Second, done)
		w.dethrone(r)
	}
	gateway := func(annotation string) bool {
		gw := w.get(gateways, "shop", "waypoint")
		return gw != nil && gw.GetAnnotations()[annotation] != ""
	}
	labelled := func() bool {
		return w.get(namespaces, "", "shop").GetLabels()[label.IoIstioUseWaypoint.Name] == "waypoint"
	}
	step("the parameters are made", func() bool { return w.get(configMaps, "shop", "waypoint-parameters") != nil })
	step("the Gateway is made", func() bool { return w.get(gateways, "shop", "waypoint") != nil })
	step("the namespace is labelled", labelled)
	w.takesEffect("shop")
	w.delete(policies, "shop", "deny-get")
	step("it is noted that nothing needs it", func() bool { return gateway("waywarden.dev/unneeded-since") })
	step("the label is gone", func() bool { return !labelled() })
	step("it is noted that nothing is bound", func() bool { return gateway("waywarden.dev/draining-since") })
	step("the Gateway is gone", func() bool { return w.get(gateways, "shop", "waypoint") == nil })
	r := w.replica(hurry...)
	defer r.Kill()
	w.until("everything is as it was", 40*time.Second, func() bool {
		now := w.inventory("shop")
		return len(now) == len(before) && fmt.Sprint(now) == fmt.Sprint(before)
	})
}

// TestOneWriter: of two replicas one writes at a time, also while one takes over from the other.
func TestOneWriter(t *testing.T) {
	w := start(t)
	a := w.replica(hurry...)
	b := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, "{retainFor: 0s}") + "---" + fmt.Sprintf(guardrail, ""))
	for i := range 4 {
		ns := fmt.Sprintf("shop-%d", i)
		w.apply(fmt.Sprintf(shop, ns) + "---" + fmt.Sprintf(denyGet, ns))
		if i == 2 {
			if err := a.Terminate(); err != nil { // it leads, because it came first; what it was about to do the other one does
				t.Fatal(err)
			}
		}
	}
	for i := range 4 {
		w.takesEffect(fmt.Sprintf("shop-%d", i))
	}
	type written struct {
		call
		by string
	}
	var log []written
	for by, r := range map[string]replica{"a": a, "b": b} {
		for _, c := range writes(r.since(time.Time{})) {
			if strings.Contains(c.path, "waywarden-waypoints") || c.method == "DELETE" {
				log = append(log, written{c, by})
			}
		}
	}
	slices.SortFunc(log, func(x, y written) int { return cmp.Or(x.at.Compare(y.at), strings.Compare(x.by, y.by)) })
	turns := ""
	for _, c := range log {
		if !strings.HasSuffix(turns, c.by) {
			turns += c.by
		}
	}
	if turns != "ab" {
		t.Errorf("they wrote in turns: %q", turns)
		for _, c := range log {
			t.Log(c.by, c.call)
		}
	}
}
