package waypoints

import (
	"errors"
	"net/http"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

var thing = plan.RefOf(mesh.Gateway, "shop", "waypoint")

func manager(name string) error {
	return apierrors.NewApplyConflict([]metav1.StatusCause{{Type: metav1.CauseTypeFieldManagerConflict, Message: `conflict with "` + name + `"`, Field: ".spec"}}, "conflict")
}

// TestRetriable: what is tried again by itself, and what is a refusal.
func TestRetriable(t *testing.T) {
	r := schema.GroupResource{Resource: "gateways"}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"another version":       {apierrors.NewConflict(r, "a", errors.New("changed")), true},
		"another field manager": {manager("argocd"), false},
		"busy":                  {apierrors.NewTooManyRequests("busy", 1), true},
		"away":                  {apierrors.NewServiceUnavailable("away"), true},
		"no connection":         {errors.New("connection refused"), true},
		"gone":                  {apierrors.NewNotFound(r, "a"), true},
		"not allowed":           {apierrors.NewForbidden(r, "a", errors.New("quota")), false},
		"not valid":             {apierrors.NewInvalid(schema.GroupKind{}, "a", nil), false},
		"a webhook":             {&apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusBadRequest, Reason: metav1.StatusReasonBadRequest}}, false},
		"a webhook, bare":       {&apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusBadRequest, Message: "no"}}, false},
		"an answer of nobody":   {&apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusBadGateway}}, true},
		"the name is taken":     {errTaken{thing}, false},
	} {
		if got := retriable(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestAttempts: when a write may be tried again.
func TestAttempts(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		times   int           // it went so
		version string        // of the object afterwards; it was "1"
		after   time.Duration // since the last time
		want    bool
		refused bool
	}{
		"taken, and not shown yet":   {times: 1, version: "1", after: time.Second},
		"taken, and shown":           {times: 1, version: "2", after: time.Millisecond, want: true},
		"taken, and lost":            {times: 1, version: "1", after: shown, want: true},
		"taken, changing nothing":    {times: 20, version: "1", after: lastRefusal - 1, refused: true},
		"and something else does":    {times: 20, version: "2", after: time.Millisecond, want: true, refused: true},
		"failed":                     {err: errors.New("away"), times: 1, version: "1", after: firstRetry / 2},
		"failed a while ago":         {err: errors.New("away"), times: 1, version: "1", after: firstRetry, want: true},
		"failed again and again":     {err: errors.New("away"), times: 20, version: "1", after: lastRetry - 1},
		"failed long ago":            {err: errors.New("away"), times: 20, version: "1", after: lastRetry, want: true},
		"refused":                    {err: manager("argocd"), times: 1, version: "1", after: firstRefusal - 1, refused: true},
		"refused, and changed":       {err: manager("argocd"), times: 1, version: "2", after: time.Millisecond, want: true, refused: true},
		"refused a while ago":        {err: manager("argocd"), times: 1, version: "1", after: firstRefusal, want: true, refused: true},
		"refused again and again":    {err: manager("argocd"), times: 20, version: "1", after: lastRefusal - 1, refused: true},
		"refused, and never existed": {err: manager("argocd"), times: 1, version: "1", after: time.Minute, want: true, refused: true},
	} {
		a := attempts{}
		for range c.times {
			a.done(thing, "1", noon, c.err)
		}
		now := noon.Add(c.after)
		if got := a.may(thing, c.version, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		all, again := a.refusals(map[mesh.Ref]string{thing: c.version}, now)
		if _, refused := all[thing]; refused != c.refused || again[thing] != (c.refused && c.want) {
			t.Errorf("%s: refused: %v, again: %v", name, refused, again[thing])
		}
		if next := a.next(now); c.want && c.version == "1" != next.IsZero() && !next.IsZero() {
			t.Errorf("%s: next at %s", name, next)
		}
	}
	a := attempts{}
	a.done(thing, "1", noon, manager("argocd"))
	a.refusals(nil, noon.Add(2*lastRefusal))
	if len(a) > 0 {
		t.Error("what no longer matters is remembered")
	}
}

// TestRepairs: a ConfigMap that somebody changes is made anew once, and not again and again.
func TestRepairs(t *testing.T) {
	r := repairs{}
	if !r.may(thing, noon) || r.may(thing, noon.Add(time.Minute)) || !r.may(thing, noon.Add(lastRefusal)) {
		t.Error("it is not once in a while")
	}
}

// TestRefusedSince: a write is refused since the first time, whatever came in between, and no longer when it was taken.
func TestRefusedSince(t *testing.T) {
	a := attempts{}
	for i, err := range []error{apierrors.NewServiceUnavailable("away"), manager("argocd"), apierrors.NewServiceUnavailable("away"), manager("flux")} {
		a.done(thing, "1", noon.Add(time.Duration(i)*time.Minute), err)
	}
	if since := a.refusedSince(); !since[thing].Equal(noon.Add(time.Minute)) {
		t.Errorf("since %v", since)
	}
	a.done(thing, "1", noon.Add(time.Hour), nil)
	if since := a.refusedSince(); len(since) > 0 {
		t.Errorf("it was taken, and is refused since %v", since)
	}
	a.done(thing, "1", noon.Add(2*time.Hour), manager("flux"))
	if since := a.refusedSince(); !since[thing].Equal(noon.Add(2 * time.Hour)) {
		t.Errorf("since %v", since)
	}
}

// TestTakenBack: a write is undone where it was taken twice and is to change the same as before, whoever wrote the object meanwhile. It is so
// until the object is as it is to be, or the write is refused; that the API server is away says nothing.
func TestTakenBack(t *testing.T) {
	type write struct {
		version, differs string
		err              error
		undone           bool // after it
	}
	away := errors.New("away")
	for name, writes := range map[string][]write{
		"made, and changed on the way":    {{"", "", nil, false}, {"1", "a is 1", nil, false}, {"1", "a is 1", nil, true}, {"1", "a is 1", nil, true}},
		"made, deleted, and made again":   {{"", "", nil, false}, {"", "", nil, false}},
		"somebody writes the status":      {{"1", "a is 1", nil, false}, {"2", "a is 1", nil, true}, {"3", "a is 1", nil, true}},
		"something else is changed":       {{"1", "a is 1", nil, false}, {"2", "b is 2", nil, false}},
		"labels that are to go come back": {{"1", "", nil, false}, {"1", "", nil, true}},
		"labels of another one go":        {{"1", "", nil, false}, {"2", "", nil, false}},
		"away meanwhile":                  {{"1", "a is 1", nil, false}, {"1", "a is 1", nil, true}, {"1", "a is 1", away, true}, {"1", "a is 1", nil, true}},
		"away before":                     {{"1", "a is 1", away, false}, {"1", "a is 1", nil, false}, {"1", "a is 1", nil, true}},
		"refused then":                    {{"1", "a is 1", nil, false}, {"1", "a is 1", nil, true}, {"1", "a is 1", manager("argocd"), false}},
		"taken at last":                   {{"1", "a is 1", nil, false}, {"1", "a is 1", nil, true}, {"2", "b is 1", nil, false}},
	} {
		t.Run(name, func(t *testing.T) {
			a, at := attempts{}, noon
			var since time.Time
			for i, w := range writes {
				at = at.Add(time.Minute)
				a.doneFor(&plan.Course{Waypoint: thing, Step: &plan.Step{Object: thing, Differs: w.differs}}, thing, w.version, at, w.err)
				if a.takenBack()[thing] != w.undone || a.refuses(thing) != (w.undone || w.err != nil && w.err != away) {
					t.Errorf("write %d: undone %v, refuses %v", i, a.takenBack()[thing], a.refuses(thing))
				}
				if w.undone && since.IsZero() {
					since = at
				}
				if w.undone && !a.refusedSince()[thing].Equal(since) {
					t.Errorf("write %d: since %v", i, a.refusedSince())
				}
			}
			if a.settle(plan.Progress{{Waypoint: thing}}, map[mesh.Ref]string{thing: "9"}); a.refuses(thing) {
				t.Error("it is as it is to be, and that is not noticed")
			}
		})
	}
}
