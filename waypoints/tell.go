package waypoints

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// The states of a waypoint, a closed set: they are a label of a metric, and stand in statuses.
const (
	Serving  = "Serving"  // it is as planned
	Working  = "Working"  // a step is being taken
	Waiting  = "Waiting"  // something has to happen first
	Stopped  = "Stopped"  // somebody has to decide first
	Removing = "Removing" // nothing needs it any more

	Unready    = "Unready"    // something is bound to it, and fewer of its pods are ready than are to be, or none
	NotApplied = "NotApplied" // something is bound to it, and istiod has not deployed it as its parameters say
	Unguarded  = "Unguarded"  // it serves, and a guard that is asked for is not there
)

// States are all of them.
var States = []string{Serving, Unguarded, Unready, NotApplied, Working, Waiting, Stopped, Removing}

func stateOf(c *plan.Course) string {
	switch {
	case len(c.Stopped) > 0:
		return Stopped
	case c.Removing:
		return Removing
	case c.Down:
		return Unready
	case c.Step != nil:
		return Working
	case len(c.Waiting) > 0:
		return Waiting
	case c.Unapplied != "" && c.Overdue:
		return NotApplied
	case c.Unapplied != "":
		return Waiting
	case c.Unready != "":
		return Unready
	case len(c.Unguarded) > 0:
		return Unguarded
	}
	return Serving
}

// messageOf says that nobody is served, then what is waited for, or what stops it, and what is shut meanwhile; else which guard is asked for and
// is not there.
func messageOf(c *plan.Course) string {
	why := whyOf(c)
	if shut := firstOf(c.Shut, "are shut too"); shut != "" && why != "" {
		why = shut + " It is so because of this: " + why
	}
	if c.Down {
		return strings.TrimSpace(downSays(c) + " " + why)
	}
	if why == "" {
		return firstOf(c.Unguarded, "are not guarded")
	}
	return why
}

// whyOf is why a waypoint is not as it is to be, but for its guards; "" where it is, or is down and nothing else.
func whyOf(c *plan.Course) string {
	switch {
	case len(c.Stopped) > 0:
		return c.Stopped[0].Why
	case c.Step != nil:
		return c.Step.Why
	case len(c.Waiting) > 0:
		return c.Waiting[0].Why
	case c.Unapplied != "" && c.Overdue:
		return unappliedSays(c)
	case c.Unapplied != "":
		return c.Unapplied
	case c.Unready != "" && !c.Down:
		return c.Unready
	}
	return ""
}

func downSays(c *plan.Course) string {
	return fmt.Sprintf("Calls to what is bound to it get no answer, as none of its pods is ready: %s. Look at its Deployment and its pods.", c.Unready)
}

func unappliedSays(c *plan.Course) string {
	return fmt.Sprintf("It runs as it did before: %s. istiod only logs why: look for %s/%s in its log. Correct the profile, or what refuses it, as a webhook or a quota; istiod tries again when the parameters change.",
		c.Unapplied, c.Waypoint.Namespace, c.Waypoint.Name)
}

// firstOf says the first of some notices, and of how many more Services the same holds.
func firstOf(notices []plan.Notice, more string) string {
	if len(notices) == 0 {
		return ""
	}
	out := fmt.Sprintf("%s: %s", notices[0].On, notices[0].Why)
	if n := len(notices) - 1; n > 0 {
		out += fmt.Sprintf(" %d more Services %s.", n, more)
	}
	return out
}

// Census is how many waypoints are in which state, and by what it is known what proxies run with.
type Census struct {
	States map[string]int
	// Down is how many have something bound to them and no ready pod, in whichever state; Blocked for how many needs none is made.
	Down, Blocked int
	// Unverified is why it is not known what proxies run with, so that it is waited for by the clock; "" where istiod is asked,
	// or nobody waits.
	Unverified string
	// Broken is whether looking at them failed of a mistake of Waywarden's own, so that nothing else is known.
	Broken bool
}

// told is what was said last about each waypoint, so that it is said once.
type told map[mesh.Ref]string

// announce says on the waypoint what was written, or that it was not.
func (c *Controller) announce(s *mesh.Snapshot, course *plan.Course, err error) {
	step := course.Step
	log := c.Log.WithValues("row", string(step.Row), "object", step.Object.String(), "waypoint", course.Waypoint.String())
	on := reference(s, course.Waypoint)
	switch {
	case err == nil:
		log.Info("a step was taken", "action", string(step.Action), "why", step.Why)
		c.events.Eventf(on, nil, corev1.EventTypeNormal, reasonOf(step), string(step.Action), "%s", note(fmt.Sprintf("%s: %s", step.Object, step.Why)))
	case retriable(err):
		log.Info("a step is tried again", "error", err.Error())
	default: // that it stopped there is told next
		log.Info("a step was refused", "error", err.Error())
	}
}

// ails says once on each waypoint that nobody is served by it, or that istiod does not deploy it as it is to be.
func (c *Controller) ails(s *mesh.Snapshot, progress plan.Progress) {
	seen := map[mesh.Ref]bool{}
	for i := range progress {
		course := &progress[i]
		reason, why := "", ""
		switch {
		case course.Down:
			reason, why = "Down", downSays(course)
		case stateOf(course) == NotApplied:
			reason, why = NotApplied, unappliedSays(course)
		default:
			continue
		}
		seen[course.Waypoint] = true
		if c.health[course.Waypoint] == reason {
			continue
		}
		c.health[course.Waypoint] = reason
		c.Log.Info("a waypoint needs somebody to look at it", "waypoint", course.Waypoint.String(), "state", reason, "why", why)
		c.events.Eventf(reference(s, course.Waypoint), nil, corev1.EventTypeWarning, reason, "Provision", "%s", note(why))
	}
	maps.DeleteFunc(c.health, func(ref mesh.Ref, _ string) bool { return !seen[ref] })
}

// stops says once on each waypoint what has stopped it, and on each Guardrail that its profile is missing, by its name.
func (c *Controller) stops(s *mesh.Snapshot, progress plan.Progress, missing map[string]string) {
	c.stopped.Store(c.stopped.Load().with(progress, c.attempts.refuses).beside(c.planned.plan.Findings(c.planned.settings)))
	seen := map[mesh.Ref]bool{}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		ref := mesh.Ref{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.GuardrailKind, Name: name}
		seen[ref] = true
		if why := plan.WithoutProfile(missing[name]); c.told[ref] != why {
			c.told[ref] = why
			c.Log.Info("a Guardrail names a profile that cannot be used", "guardrail", name, "profile", missing[name])
			c.events.Eventf(reference(s, ref), nil, corev1.EventTypeWarning, "ProfileMissing", "Provision", "%s", why)
		}
	}
	for i := range progress {
		course := &progress[i]
		for _, n := range course.Shut {
			ref := plan.RefOf(mesh.Service, n.On.Namespace, n.On.Name)
			seen[ref] = true
			if c.told[ref] != n.Why {
				c.told[ref] = n.Why
				c.Log.Info("a Service is closed while it waits for its waypoint, and its pods are ready", "service", n.On.String(), "waypoint", course.Waypoint.String())
				c.events.Eventf(reference(s, ref), nil, corev1.EventTypeWarning, "Held", string(plan.Hold), "%s", note(n.Why))
			}
		}
		if len(course.Stopped) == 0 {
			continue
		}
		stop := course.Stopped[0]
		seen[course.Waypoint] = true
		if c.told[course.Waypoint] == stop.Why {
			continue
		}
		c.told[course.Waypoint] = stop.Why
		text := stop.Why
		if stop.Manifest != nil {
			text += " To go on, commit this:\n" + manifestOf(stop.Manifest)
		}
		c.Log.Info("a waypoint does not go on", "row", string(stop.Row), "object", stop.Object.String(), "waypoint", course.Waypoint.String(), "why", stop.Why)
		c.events.Eventf(reference(s, course.Waypoint), nil, corev1.EventTypeWarning, "Stopped", string(stop.Row), "%s", note(text))
	}
	maps.DeleteFunc(c.told, func(ref mesh.Ref, _ string) bool { return !seen[ref] })
}

// stopped is what has stopped.
type stopped struct {
	found   []policies.Finding
	blocked []policies.Finding // needs for which no waypoint is made
	all     bool
}

// with is what has stopped now, and what stopped before where a write is still refused to which its waypoint has not come this time.
// What the API server refuses is known to nobody after a restart before it has been tried once more: so it is all only when there was a
// look that left no step to take.
func (before *stopped) with(progress plan.Progress, refuses func(mesh.Ref) bool) *stopped {
	now := &stopped{found: progress.Findings(), all: !slices.ContainsFunc(progress, func(course plan.Course) bool { return course.Step != nil })}
	if before == nil {
		return now
	}
	now.all = now.all || before.all
	for _, f := range before.found {
		if refuses(f.Object) && !slices.ContainsFunc(now.found, func(o policies.Finding) bool { return o.Object == f.Object }) {
			now.found = append(now.found, f)
		}
	}
	slices.SortStableFunc(now.found, func(a, b policies.Finding) int { return policies.CompareFindings(a, b) })
	return now
}

// beside is what has stopped, with the needs for which no waypoint is made: those are known of each look by itself.
func (now *stopped) beside(blocked []policies.Finding) *stopped {
	now.blocked = blocked
	return now
}

// Findings are what has stopped and what is blocked, as of when it was looked at last, and whether that is all: after a start it takes some
// looks to know. They may be asked for at any time; nobody writes to them.
func (c *Controller) Findings() (found []policies.Finding, all bool) {
	s := c.stopped.Load()
	if s == nil {
		return nil, false
	}
	return slices.SortedStableFunc(slices.Values(slices.Concat(s.found, s.blocked)), policies.CompareFindings), s.all
}

// reference is the object of an Event: a Gateway, be it made or not, a Service, a policy, or a Guardrail.
func reference(s *mesh.Snapshot, ref mesh.Ref) *corev1.ObjectReference {
	out := &corev1.ObjectReference{APIVersion: cmp.Or(ref.APIVersion, mesh.Gateway.APIVersion()), Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name}
	if kind, ok := mesh.KindOf(out.APIVersion, ref.Kind); ok {
		if o := s.Get(kind, ref.Namespace, ref.Name); o != nil {
			out.UID = types.UID(o.UID)
		}
	}
	return out
}

// reasonOf is a row as the reason of an Event: "make-binding" is MakeBinding.
func reasonOf(step *plan.Step) string {
	out := ""
	for _, word := range strings.Split(string(step.Row), "-") {
		if word != "" {
			out += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return out
}

func manifestOf(manifest map[string]any) string {
	if manifest == nil {
		return ""
	}
	text, err := yaml.Marshal(manifest)
	if err != nil {
		return ""
	}
	return string(text)
}

// maxNote is how many bytes an Event's note may hold (k8s.io/kubernetes pkg/apis/core/validation NoteLengthLimit).
const maxNote = 1024

// note is a text as an Event's note: the API server would refuse one that is too long.
func note(text string) string {
	if len(text) <= maxNote {
		return text
	}
	return strings.ToValidUTF8(text[:maxNote-len("…")], "") + "…"
}

// because are the reasons for a waypoint, for people.
func because(needs []plan.Need) []string {
	var out []string
	for _, n := range needs {
		out = append(out, fmt.Sprintf("%s for %s", n.Policy, n.Target))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
