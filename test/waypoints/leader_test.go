//go:build cluster

package waypoints

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// dethrone kills a leader, which leaves it no time for anything, and has its lease run out at once.
func (w *world) dethrone(r replica) {
	w.t.Helper()
	r.Kill()
	w.balancer.Remove(r.Addr)
	if err := w.vacate(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// vacate has a lease run out at once that somebody holds who is no more.
func (w *world) vacate(ctx context.Context) error {
	err := w.Dynamic.Resource(leases).Namespace("waywarden-system").Delete(ctx, "waywarden", deleteNow)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// admit applies what somebody has to admit, once somebody is there who does.
func (w *world) admit(stream string) {
	w.t.Helper()
	w.until("it is admitted", 2*time.Minute, func() bool { return w.Apply(w.t.Context(), []byte(stream)) == nil })
}

// TestOneWriter: of two replicas one writes at a time, also while one takes over from the other.
func TestOneWriter(t *testing.T) {
	t.Parallel()
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
