package waypoints

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestBlind: a profile says which kinds cannot be read and what that means, and keeps what it said of its waypoints.
func TestBlind(t *testing.T) {
	p := &v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: 4}}
	p.Status.Waypoints, p.Status.Needed = 2, []v1alpha1.NeededWaypoint{{Name: "waypoint"}}
	p.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "AsPlanned"}, {Type: "Verified", Status: metav1.ConditionTrue}}
	why := blindness([]inventory.Unread{{Resource: "gateways", Why: "forbidden"}, {Resource: "services", Why: "timeout"}})
	after := notReady(p, "Unread", why)
	ready := apimeta.FindStatusCondition(after.Status.Conditions, "Ready")
	if ready.Status != metav1.ConditionFalse || ready.Reason != "Unread" || ready.ObservedGeneration != 4 || !strings.Contains(ready.Message, "without gateways (forbidden), services (timeout). Let Waywarden list and watch them.") {
		t.Errorf("got %+v", ready)
	}
	if after.Status.Waypoints != 2 || len(after.Status.Needed) != 1 || !apimeta.IsStatusConditionTrue(after.Status.Conditions, "Verified") {
		t.Errorf("what it said before is gone: %+v", after.Status)
	}
	if !apimeta.IsStatusConditionTrue(p.Status.Conditions, "Ready") {
		t.Error("the profile that was read is written to")
	}
	var many []inventory.Unread
	for i := range 1000 {
		many = append(many, inventory.Unread{Resource: fmt.Sprintf("kind%d.example.com", i), Why: "forbidden"})
	}
	if n := len(blindness(many)); n > maxMessage+len("…") {
		t.Errorf("the message is %d bytes long", n)
	}
}

// TestRecounts: how many need a waypoint is written where it serves, is ours and says otherwise; and not again and again where
// somebody else says how many.
func TestRecounts(t *testing.T) {
	gateway := func(name, more string) string {
		return fmt.Sprintf(`{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: %s, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default%s}}, spec: {gatewayClassName: istio-waypoint}}`, name, more)
	}
	ref := func(name string) mesh.Ref { return plan.RefOf(mesh.Gateway, "shop", name) }
	docs := []string{gateway("new", ""), gateway("other", `, waywarden.dev/needs: "2"`), gateway("told", `, waywarden.dev/needs: "1"`), gateway("foreign", ""), gateway("waits", "")}
	managed := plan.Managed{}
	need := []plan.Need{{Policy: mesh.Ref{Kind: "AuthorizationPolicy", Name: "a"}}}
	progress := plan.Progress{{Waypoint: ref("new"), Needs: need}, {Waypoint: ref("other"), Needs: need}, {Waypoint: ref("told"), Needs: need}, {Waypoint: ref("foreign"), Needs: need},
		{Waypoint: ref("waits"), Needs: need, Waiting: []plan.Wait{{}}}}
	for _, c := range progress {
		if c.Waypoint.Name != "foreign" {
			managed[c.Waypoint] = nil
		}
	}
	for i := range parallel {
		docs = append(docs, gateway(fmt.Sprint("z", i), `, waywarden.dev/needs: "0"`))
		managed[ref(fmt.Sprint("z", i))] = nil
		progress = append(progress, plan.Course{Waypoint: ref(fmt.Sprint("z", i)), Needs: need})
	}
	s, counts := mesh.New(mesh.Options{}, objects(t, strings.Join(docs, "\n---\n"))...), attempts{}
	first := recounts(s, managed, progress, counts, noon)
	if len(first) != parallel || first[ref("new")] != "1" || first[ref("other")] != "1" {
		t.Errorf("got %v", first)
	}
	for _, name := range []string{"told", "foreign", "waits"} {
		if _, ok := first[ref(name)]; ok {
			t.Errorf("%s is counted", name)
		}
	}
	counts.done(ref("new"), "1", noon, errors.New("away"))
	counts.done(ref("other"), "1", noon, manager("argocd"))
	for name, tc := range map[string]struct {
		after time.Duration
		want  bool
	}{"new": {firstRetry, true}, "other": {firstRefusal - time.Second, false}} {
		if _, ok := recounts(s, managed, progress, counts, noon.Add(tc.after))[ref(name)]; ok != tc.want {
			t.Errorf("%s after %s: %v", name, tc.after, ok)
		}
	}
	if _, ok := recounts(s, managed, progress, counts, noon.Add(firstRefusal))[ref("other")]; !ok {
		t.Error("what somebody else has refused is never tried again")
	}
}

// TestUnguarded: a profile is not ready where a waypoint of it serves without the guard that is asked for.
func TestUnguarded(t *testing.T) {
	p := &v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	course := plan.Course{Waypoint: plan.RefOf(mesh.Gateway, "shop", "waypoint")}
	statusOf(p, mesh.New(mesh.Options{}), []*plan.Course{&course})
	if !apimeta.IsStatusConditionTrue(p.Status.Conditions, "Ready") {
		t.Errorf("got %+v", p.Status)
	}
	course.Unguarded = []plan.Notice{{On: mesh.Ref{Kind: "Service", Namespace: "shop", Name: "cart"}, Why: "a way is known."}}
	statusOf(p, mesh.New(mesh.Options{}), []*plan.Course{&course})
	ready := apimeta.FindStatusCondition(p.Status.Conditions, "Ready")
	if ready.Status != metav1.ConditionFalse || ready.Reason != Unguarded || !strings.Contains(ready.Message, "Service shop/cart: a way is known.") || p.Status.Needed[0].State != Unguarded {
		t.Errorf("got %+v, %+v", ready, p.Status.Needed)
	}
}

// TestWaitingProfile: of a waypoint that is not ready the profile says what it waits for, and since when, as the Gateway does.
func TestWaitingProfile(t *testing.T) {
	const gw = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: waypoint, namespace: shop}, spec: {gatewayClassName: istio-waypoint},
  status: {conditions: [{type: waywarden.dev/AsPlanned, status: "STATUS", reason: Waiting, message: no pod, lastTransitionTime: "2026-01-01T10:00:00Z"}]}}`
	p := &v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	waits := plan.Course{Waypoint: plan.RefOf(mesh.Gateway, "shop", "waypoint"), Waiting: []plan.Wait{{Why: "no pod"}}}
	for _, tc := range []struct {
		status string
		course plan.Course
		want   string
	}{
		{"False", waits, "2026-01-01T10:00:00Z"},
		{"True", waits, ""}, // what it waits for is not written yet
		{"False", plan.Course{Waypoint: waits.Waypoint}, ""},
	} {
		statusOf(p, mesh.New(mesh.Options{}, objects(t, strings.ReplaceAll(gw, "STATUS", tc.status))...), []*plan.Course{&tc.course})
		got := ""
		if since := p.Status.Needed[0].Since; since != nil {
			got = since.UTC().Format(time.RFC3339)
		}
		if got != tc.want {
			t.Errorf("%s %v: since %q, not %q", tc.status, stateOf(&tc.course), got, tc.want)
		}
		ready := apimeta.FindStatusCondition(p.Status.Conditions, "Ready")
		if says := strings.Contains(ready.Message, "Gateway shop/waypoint: no pod"); says != (stateOf(&tc.course) == Waiting) {
			t.Errorf("%v: %+v", stateOf(&tc.course), ready)
		}
	}
}

// TestProfileOfOneToBeMade: a shared waypoint that could not be made yet is told of by the profile that shares it, not by that of the
// namespace in which it is to be.
func TestProfileOfOneToBeMade(t *testing.T) {
	s := mesh.New(mesh.Options{}, objects(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: infra}}
---
{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: 10.96.0.10, selector: {app: cart}, ports: [{name: http, port: 80}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: cart}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`)...)
	settings := plan.Settings{Namespaces: map[string]plan.Setting{
		"shop":  {Mode: plan.Provision, Profile: plan.Profile{Name: "sharing", Granularity: plan.Shared, SharedNamespace: "infra"}},
		"infra": {Mode: plan.Provision, Profile: plan.Profile{Name: "default"}},
	}}
	c := &Controller{planned: planned{settings: settings, plan: plan.Make(policies.NewView(s), settings, nil)}}
	course := &plan.Course{Waypoint: plan.RefOf(mesh.Gateway, "infra", "waypoint-sharing"), Stopped: []plan.Stop{{Why: "the API server refused it"}}}
	if got := c.profileOf(s, course); got != "sharing" {
		t.Errorf("told of profile %q: %+v", got, c.planned.plan.Waypoints)
	}
}
