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
	since    time.Time // when it was refused first
	taken    bool
}

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
	t := attempt{failures: a[ref].failures + 1, version: version, of: course.Waypoint, removing: course.Removing, refused: a[ref].refused, since: a[ref].since}
	switch {
	case err == nil:
		t = attempt{version: version, taken: true, until: now.Add(shown)}
		if was := a[ref]; was.taken && was.version == version { // as where a webhook takes it back: it changes nothing
			t.failures = was.failures + 1
			t.until = now.Add(growing(2*shown, lastRefusal, t.failures))
		}
	case retriable(err): // which says nothing about what was refused before
		t.until = now.Add(growing(firstRetry, lastRetry, t.failures))
	default:
		t.refused, t.until = err.Error(), now.Add(growing(firstRefusal, lastRefusal, t.failures))
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

// refusals are the writes that were refused and not taken since, and those of them that are to be tried again now. What lies long
// back is forgotten.
func (a attempts) refusals(versions map[mesh.Ref]string, now time.Time) (refused map[mesh.Ref]string, again map[mesh.Ref]bool) {
	refused, again = map[mesh.Ref]string{}, map[mesh.Ref]bool{}
	for ref, t := range a {
		switch {
		case now.Sub(t.until) > lastRefusal:
			delete(a, ref)
		case t.refused != "":
			refused[ref], again[ref] = t.refused, a.may(ref, versions[ref], now)
		}
	}
	return refused, again
}

// refusedSince is since when each write is refused that was not taken since.
func (a attempts) refusedSince() map[mesh.Ref]time.Time {
	out := map[mesh.Ref]time.Time{}
	for ref, t := range a {
		if t.refused != "" {
			out[ref] = t.since
		}
	}
	return out
}

// refuses is whether a write was refused, and not taken since.
func (a attempts) refuses(ref mesh.Ref) bool { return a[ref].refused != "" }

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
		case t.refused == "":
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
