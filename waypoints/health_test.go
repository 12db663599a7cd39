package waypoints

import (
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestHealth: a waypoint to which something is bound is told to be serving only while its pods are, and while it is what its parameters say.
func TestHealth(t *testing.T) {
	step, waits := &plan.Step{Why: "it takes a step"}, []plan.Wait{{Why: "it waits"}}
	for name, tc := range map[string]struct {
		course                 plan.Course
		state, reason, message string // of the waypoint, of its profile, and what both say
	}{
		"serves":                     {plan.Course{}, Serving, "AsPlanned", ""},
		"no pod":                     {plan.Course{Unready: "0 of 1 pods are ready", Down: true}, Unready, Unready, "get no answer, as none of its pods is ready: 0 of 1 pods are ready."},
		"no pod, and a step":         {plan.Course{Unready: "0 of 1 pods are ready", Down: true, Step: step}, Unready, Unready, "pods. it takes a step"},
		"no pod, and it waits":       {plan.Course{Unready: "0 of 1 pods are ready", Down: true, Waiting: waits}, Unready, Unready, "pods. it waits"},
		"no pod, and it stopped":     {plan.Course{Unready: "0 of 1 pods are ready", Down: true, Stopped: []plan.Stop{{Why: "it stopped"}}}, Stopped, Unready, "pods. it stopped"},
		"no pod, and on its way out": {plan.Course{Unready: "0 of 1 pods are ready", Down: true, Removing: true, Waiting: waits}, Removing, Unready, "get no answer"},
		"too few":                    {plan.Course{Unready: "1 of 2 pods are ready"}, Unready, Unready, "1 of 2 pods are ready"},
		"too few, and it waits":      {plan.Course{Unready: "1 of 2 pods are ready", Waiting: waits}, Waiting, "Progressing", "it waits"},
		"about to be applied":        {plan.Course{Unapplied: "istiod has not made Deployment waypoint"}, Waiting, "Progressing", "istiod has not made Deployment waypoint"},
		"not applied":                {plan.Course{Unapplied: "istiod has not made Deployment waypoint", Overdue: true}, NotApplied, NotApplied, "look for shop/waypoint in its log"},
		"not applied, and too few":   {plan.Course{Unready: "1 of 2 pods are ready", Unapplied: "istiod has not made Deployment waypoint", Overdue: true}, NotApplied, NotApplied, "istiod only logs why"},
		"too few, and no guard":      {plan.Course{Unready: "1 of 2 pods are ready", Unguarded: []plan.Notice{{Why: "a way is known"}}}, Unready, Unready, "1 of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			course := tc.course
			course.Waypoint = plan.RefOf(mesh.Gateway, "shop", "waypoint")
			if state := stateOf(&course); state != tc.state {
				t.Errorf("state %s", state)
			}
			if text := messageOf(&course); !strings.Contains(text, tc.message) || (text == "") != (tc.message == "") {
				t.Errorf("message %q", text)
			}
			p := &v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
			serves, guarded := plan.Course{Waypoint: plan.RefOf(mesh.Gateway, "a", "waypoint")}, plan.Course{Waypoint: plan.RefOf(mesh.Gateway, "b", "waypoint"), Unguarded: []plan.Notice{{}}}
			others := []*plan.Course{&serves, &course}
			if tc.state != Serving {
				others = []*plan.Course{&guarded, &serves, &course}
			}
			statusOf(p, mesh.New(mesh.Options{}), others)
			ready := apimeta.FindStatusCondition(p.Status.Conditions, "Ready")
			if ready.Reason != tc.reason || (ready.Status == metav1.ConditionTrue) != (tc.state == Serving) || tc.reason != "Progressing" && !strings.Contains(ready.Message, tc.message) {
				t.Errorf("the profile says %+v", ready)
			}
			for _, c := range conditionsOf(&mesh.Object{Kind: mesh.Gateway}, &course) {
				if c.Type == AsPlannedCondition && ((c.Status == metav1.ConditionTrue) != (tc.state == Serving) || c.Reason != tc.state) {
					t.Errorf("the Gateway says %+v", c)
				}
			}
		})
	}
}

// TestLags: istiod has its time to deploy, which begins when it is first seen that it has not, and again when it had.
func TestLags(t *testing.T) {
	ref, l := plan.RefOf(mesh.Gateway, "shop", "waypoint"), lags{}
	at := func(after time.Duration, unapplied string) (plan.Serving, time.Time) {
		all := map[mesh.Ref]plan.Serving{ref: {Ready: true, Unapplied: unapplied}}
		next := l.enter(all, noon.Add(after))
		return all[ref], next
	}
	const why = "istiod has not made Deployment waypoint as its parameters say"
	for _, tc := range []struct {
		after     time.Duration
		unapplied string
		overdue   bool
		since     time.Duration
		next      time.Duration // after noon; 0 for never
	}{
		{0, "", false, 0, 0},
		{time.Second, why, false, time.Second, time.Second + deploying},
		{deploying, why, false, time.Second, time.Second + deploying},
		{time.Second + deploying, why, true, time.Second, 0},
		{time.Hour, why, true, time.Second, 0},
		{2 * time.Hour, "", false, 0, 0},
		{3 * time.Hour, why, false, 3 * time.Hour, 3*time.Hour + deploying},
	} {
		got, next := at(tc.after, tc.unapplied)
		if got.Overdue != tc.overdue || !got.Ready || tc.unapplied != "" && got.Unapplied != why+", since "+noon.Add(tc.since).UTC().Format(time.RFC3339) {
			t.Errorf("after %s: %+v", tc.after, got)
		}
		if want := noon.Add(tc.next); next.IsZero() != (tc.next == 0) || !next.IsZero() && !next.Equal(want) {
			t.Errorf("after %s it is looked at again at %s, want %s", tc.after, next, want)
		}
	}
}
