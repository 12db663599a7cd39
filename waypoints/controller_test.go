package waypoints

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestManySteps: steps for many waypoints are taken some at a time, and of each it is known how it went. Nobody answers here.
func TestManySteps(t *testing.T) {
	c, err := New(Options{Config: &rest.Config{Host: "http://127.0.0.1:1", QPS: -1}, Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	var progress plan.Progress
	for i := range 50 * parallel {
		ref := plan.RefOf(mesh.Gateway, "shop", fmt.Sprint("waypoint-", i))
		progress = append(progress, plan.Course{Waypoint: ref, Step: &plan.Step{Action: plan.Delete, Row: plan.RemoveGateway, Object: ref, Preconditions: plan.Preconditions{UID: "1"}}})
	}
	now := time.Unix(1, 0)
	c.take(t.Context(), mesh.New(mesh.Options{}), progress, nil, now)
	for i := range progress {
		if c.attempts.may(progress[i].Step.Object, "", now) || !c.attempts.may(progress[i].Step.Object, "", now.Add(firstRetry)) {
			t.Errorf("%s may be tried again at once, or not after a while: %+v", progress[i].Waypoint, c.attempts[progress[i].Step.Object])
		}
	}
}
