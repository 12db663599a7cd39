package waypoints

import (
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
)

// TestOutlive: a panic while it looks ends neither the process nor, in silence, the controller. Without a mesh there is nothing to look at.
func TestOutlive(t *testing.T) {
	var said []string
	var census []Census
	now := time.Unix(100, 0)
	c, err := New(Options{Config: &rest.Config{Host: "http://127.0.0.1:1", QPS: -1}, Clock: clocktesting.NewFakeClock(now),
		Log:    funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{}),
		Report: func(got Census) { census = append(census, got) }})
	if err != nil {
		t.Fatal(err)
	}
	next, ok := c.outlive(t.Context())
	if ok || !next.Equal(now.Add(patience)) {
		t.Errorf("it is to look again at %s, and went well: %v", next, ok)
	}
	if len(said) != 1 || !strings.Contains(said[0], "which is a mistake in waywarden") || !strings.Contains(said[0], "waypoints.(*Controller).once") {
		t.Errorf("the log: %q", said)
	}
	if len(census) != 1 || !census[0].Broken {
		t.Errorf("reported as %+v", census)
	}
}
