package waypoints

import (
	"slices"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// attempts keep a write from being tried again too soon: one that was taken, before the watch shows it; one that failed, or was taken and changed
// nothing, for a while that grows; one that was refused, until its object changes, or for a longer while, because the webhook or
// quota that refused it can be gone without a trace on the object.
type attempts map[mesh.Ref]attempt

type attempt struct {
	failures int
	until    time.Time
	version  string    // of the object, when it was tried
	of       mesh.Ref  // the waypoint for which it was tried; the zero value where that does not matter
	removing bool      // whether that was on its way out
	refused  string    // why, when it was refused last; "" where it was not, or was taken since
	since    time.Time // when it was refused, or taken back, first
	taken    bool
	differs  string // what the write was to change, as the plan says
	undone   bool   // whether it was taken, and that was so before and after
}

// barred is whether what was written is not there, and why: it was refused and not taken since, or is undone each time.
func (t attempt) barred() bool { return t.refused != "" || t.undone }

const (
	shown        = 5 * time.Second // how long the watch may take to show a write
	firstRetry   = time.Second
	lastRetry    = time.Minute
	firstRefusal = 30 * time.Second
	lastRefusal  = 15 * time.Minute
)

// may is whether to try now.
func (a attempts) may(ref mesh.Ref, version string, now time.Time) bool {
	t, ok := a[ref]
	return !ok || (t.taken || t.refused != "") && t.version != version || !now.Before(t.until)
}

// done takes down how a write went.
func (a attempts) done(ref mesh.Ref, version string, now time.Time, err error) {
	a.doneFor(&plan.Course{}, ref, version, now, err)
}

// doneFor takes down how a write for a waypoint went.
func (a attempts) doneFor(course *plan.Course, ref mesh.Ref, version string, now time.Time, err error) {
	was := a[ref]
	t := attempt{failures: was.failures + 1, version: version, of: course.Waypoint, removing: course.Removing, refused: was.refused, undone: was.undone, since: was.since}
	if course.Step != nil {
		t.differs = course.Step.Differs
	}
	switch {
	case err == nil:
		same := was.taken && (was.version == version || t.differs != "" && was.differs == t.differs)
		t.taken, t.refused, t.undone, t.failures, t.until = true, "", same && version != "", 0, now.Add(shown) // what is gone was deleted by somebody, and undone by nobody
		if !same {
			t.since = time.Time{}
			break
		}
		// It changes nothing, as where a webhook takes it back.
		t.failures, t.until = was.failures+1, now.Add(growing(2*shown, lastRefusal, was.failures+1))
		if t.since.IsZero() {
			t.since = now
		}
	case retriable(err): // which says nothing about what was refused or undone before
		t.taken, t.until = was.undone, now.Add(growing(firstRetry, lastRetry, t.failures))
	default:
		t.refused, t.undone, t.until = err.Error(), false, now.Add(growing(firstRefusal, lastRefusal, t.failures))
		if t.since.IsZero() {
			t.since = now
		}
	}
	a[ref] = t
}

// repairs are when ConfigMaps were made anew because somebody else had changed them. One that is changed again and again is
// left alone: that is no slip, but somebody who means it.
type repairs map[mesh.Ref]time.Time

func (r repairs) may(ref mesh.Ref, now time.Time) bool {
	at, ok := r[ref]
	if ok && now.Sub(at) < lastRefusal {
		return false
	}
	r[ref] = now
	return true
}

func growing(first, last time.Duration, n int) time.Duration {
	for ; n > 1 && first < last; n-- {
		first *= 2
	}
	return min(first, last)
}

// refusals are the writes that were refused and not taken since, or are undone each time, and those of them that are to be tried again
// now. What lies long back is forgotten.
func (a attempts) refusals(versions map[mesh.Ref]string, now time.Time) (refused map[mesh.Ref]string, again map[mesh.Ref]bool) {
	refused, again = map[mesh.Ref]string{}, map[mesh.Ref]bool{}
	for ref, t := range a {
		switch {
		case now.Sub(t.until) > lastRefusal:
			delete(a, ref)
		case t.barred():
			refused[ref], again[ref] = t.refused, a.may(ref, versions[ref], now)
		}
	}
	return refused, again
}

// refusedSince is since when each of those is refused or undone.
func (a attempts) refusedSince() map[mesh.Ref]time.Time {
	out := map[mesh.Ref]time.Time{}
	for ref, t := range a {
		if t.barred() {
			out[ref] = t.since
		}
	}
	return out
}

// takenBack are those of them that are undone each time.
func (a attempts) takenBack() map[mesh.Ref]bool {
	out := map[mesh.Ref]bool{}
	for ref, t := range a {
		if t.undone {
			out[ref] = true
		}
	}
	return out
}

// refuses is whether a write was refused, and not taken since, or is undone.
func (a attempts) refuses(ref mesh.Ref) bool { return a[ref].barred() }

// settle forgets what was refused and nobody wants to write any more. A course that has something else to do first has not said
// that, unless the object has changed, or the course has turned round.
func (a attempts) settle(progress plan.Progress, versions map[mesh.Ref]string) {
	at := map[mesh.Ref]*plan.Course{}
	for i := range progress {
		at[progress[i].Waypoint] = &progress[i]
	}
	for ref, t := range a {
		course := at[t.of]
		switch {
		case !t.barred():
		case course == nil:
			delete(a, ref)
		case slices.ContainsFunc(course.Stopped, func(s plan.Stop) bool { return s.Object == ref }): // it is wanted
		case course.Step == nil && len(course.Waiting) == 0, versions[ref] != t.version, course.Removing != t.removing:
			delete(a, ref)
		}
	}
}

// next is when the first of them may be tried again; zero where none waits.
func (a attempts) next(now time.Time) time.Time {
	var out time.Time
	for _, t := range a {
		if now.Before(t.until) && (out.IsZero() || t.until.Before(out)) {
			out = t.until
		}
	}
	return out
}
