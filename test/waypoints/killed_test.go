//go:build cluster

package waypoints

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/test/serving"
)

// The life of a waypoint: it is made with all that there can be beside it, its profile asks for less, and nothing needs it any more.
const (
	wholeProfile = "{retainFor: 1s, replicas: 2, disruptionBudget: {minAvailable: 1}}"
	lessProfile  = "{retainFor: 1s, replicas: 2}"
)

// TestKilledAfterEachWrite: what one leader that nobody disturbs writes in the whole life of a waypoint is taken down. Then there is a
// waypoint for each of these writes, and whoever leads is killed when the API server has stored that one, before it hears of that. The
// next one finishes: each of the waypoints becomes, and leaves behind, what the one became and left that nobody disturbed.
func TestKilledAfterEachWrite(t *testing.T) {
	w := start(t)
	r := w.replica(hurry...)
	w.apply(fmt.Sprintf(profile, wholeProfile) + "---" + fmt.Sprintf(guardrail, ", bypass: Guard"))
	undisturbed := w.live([]string{"alone"}, func(stream string) { w.apply(stream) })["alone"]
	written := tally{}
	var all []string
	for _, c := range r.since(time.Time{}) {
		if ns, which := written.enter(c); ns == "alone" {
			all = append(all, which)
		}
	}
	w.dethrone(r)
	t.Logf("%d writes in a life:\n%s", len(all), strings.Join(all, "\n"))

	due := map[string]string{}
	for i, which := range all {
		due[fmt.Sprintf("life-%02d", i)] = which
	}
	lives := slices.Sorted(maps.Keys(due))
	began := time.Now()
	s := w.succeed(due)
	w.admit(fmt.Sprintf(profile, wholeProfile))
	for ns, got := range w.live(lives, w.admit) {
		for i, stage := range []string{"served", "served by less", "removed"} {
			if diff := cmp.Diff(undisturbed[i], got[i]); diff != "" {
				t.Errorf("%s, killed after %s, is not as if nobody had been, when it is %s (-undisturbed +killed):\n%s", ns, due[ns], stage, diff)
			}
		}
	}
	fell, err := s.end()
	if err != nil {
		t.Fatal(err)
	}
	for ns, which := range due {
		// What is only told may be told at once of two things that happened one after the other.
		if !fell[ns] && !told(which) {
			t.Errorf("nobody was killed after %s", which)
		}
	}
	t.Logf("whoever led was killed after %d of %d writes, within %s", len(fell), len(all), time.Since(began))
}

// live has a waypoint live in each of some namespaces, and is what there is when it serves, when it serves by less, and when it is gone.
func (w *world) live(all []string, apply func(string)) map[string][3]map[string]string {
	w.t.Helper()
	out := map[string][3]map[string]string{}
	take := func(stage int) {
		for _, ns := range all {
			now := out[ns]
			now[stage] = w.everything(ns)
			out[ns] = now
		}
	}
	each := func(what string, holds func(ns string) bool) {
		w.t.Helper()
		for _, ns := range all {
			w.until(ns+": "+what, 4*time.Minute, func() bool { return holds(ns) })
		}
	}
	asPlanned := func(ns string) bool {
		gw := w.get(gateways, ns, "waypoint")
		return condition(gw, "waywarden.dev/AsPlanned") == "True" && gw.GetAnnotations()["waywarden.dev/needs"] == "1" &&
			condition(w.get(policies, ns, "deny-get"), "WaypointAccepted") == "True" && condition(w.roles(ns)["guard"], "ZtunnelAccepted") == "True"
	}
	before := map[string]map[string]string{}
	for _, ns := range all {
		apply(fmt.Sprintf(shop, ns) + "---" + fmt.Sprintf(allowFront, ns))
	}
	for _, ns := range all {
		before[ns] = w.settledInventory(ns)
	}
	for _, ns := range all {
		apply(fmt.Sprintf(denyGet, ns))
	}
	each("the waypoint serves, with all beside it", func(ns string) bool { return asPlanned(ns) && w.get(budgets, ns, "waypoint") != nil })
	take(0)
	apply(fmt.Sprintf(profile, lessProfile))
	each("the budget is gone, and its key", func(ns string) bool {
		return w.get(budgets, ns, "waypoint") == nil && !strings.Contains(field(w.get(configMaps, ns, "waypoint-parameters"), "data"), "podDisruptionBudget") && asPlanned(ns)
	})
	take(1)
	for _, ns := range all {
		w.until(ns+": the policy is deleted", time.Minute, func() bool {
			return w.Dynamic.Resource(policies).Namespace(ns).Delete(w.t.Context(), "deny-get", deleteNow) == nil
		})
	}
	each("everything is as it was", func(ns string) bool { return cmp.Equal(before[ns], w.inventory(ns)) })
	take(2)
	return out
}

// hashed is how something of ours was written last, which is another hash in each namespace.
var hashed = regexp.MustCompile(`waywarden.dev/applied:[0-9a-f]+`)

// everything is the inventory of a namespace, with what is in the objects that are ours, and without its name.
func (w *world) everything(ns string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for what, text := range w.inventory(ns) {
		out[what] = hashed.ReplaceAllString(text, "")
	}
	out["spec of the Gateway"] = field(w.get(gateways, ns, "waypoint"), "spec")
	out["data of the parameters"] = field(w.get(configMaps, ns, "waypoint-parameters"), "data")
	for role, o := range w.roles(ns) {
		out["spec of the "+role] = field(o, "spec")
	}
	named := map[string]string{}
	for what, text := range out {
		named[strings.ReplaceAll(what, ns, "NAMESPACE")] = strings.ReplaceAll(text, ns, "NAMESPACE")
	}
	return named
}

// tally counts the writes to each namespace, by what is written and how often it was before.
type tally map[string]int

var namespaceOf = regexp.MustCompile(`/namespaces/([^/?]+)`)

// enter takes a call down. It says to which namespace it wrote, and which write it was there; "" where it wrote nothing there.
func (m tally) enter(c call) (ns, which string) {
	path, query, _ := strings.Cut(c.path, "?")
	found := namespaceOf.FindStringSubmatch(path)
	if len(writes([]call{c})) == 0 || c.routine() || c.status >= 300 || found == nil {
		return "", ""
	}
	what := c.method + " " + strings.ReplaceAll(path, found[1], "NAMESPACE")
	if strings.Contains(query, "waywarden-waypoints-status") {
		what += " (told)"
	}
	m[found[1]+" "+what]++
	return found[1], fmt.Sprintf("%s, %d.", what, m[found[1]+" "+what])
}

// told is whether a write only tells something.
func told(which string) bool { return strings.Contains(which, "(told)") }

// succession are leaders, each of which comes when the last one was killed.
type succession struct {
	w    *world
	stop context.CancelFunc
	done chan error

	mu      sync.Mutex
	written tally
	due     map[string]string // by namespace: the write after which its leader is to be killed
	fell    map[string]bool   // by namespace: whether one was
}

// succeed has somebody lead from now on, and kills whoever does when what is due in a namespace was written.
func (w *world) succeed(due map[string]string) *succession {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	s := &succession{w: w, stop: cancel, done: make(chan error, 1), written: tally{}, due: due, fell: map[string]bool{}}
	ledgers := make([]*ledger, len(due)+1)
	for i := range ledgers { // here, because nothing may end a test from a goroutine of its own
		ledgers[i] = ledgerTo(w.t, w.Config)
	}
	dir := w.t.TempDir()
	go func() {
		for _, l := range ledgers {
			if err := s.lead(ctx, l, dir); err != nil {
				s.done <- err
				return
			}
		}
		s.done <- nil
	}()
	w.t.Cleanup(func() { _, _ = s.end() })
	return s
}

// lead is one leader, until it was killed or ctx ends.
func (s *succession) lead(ctx context.Context, l *ledger, dir string) error {
	var r *serving.Replica
	var once sync.Once
	started, dead := make(chan struct{}), make(chan struct{})
	l.after = func(c call) {
		if s.deadly(c) {
			once.Do(func() {
				<-started
				r.Kill()
				close(dead)
			})
		}
	}
	var err error
	if r, err = l.start(dir, hurry...); err != nil {
		return err
	}
	defer r.Kill()
	close(started)
	living, stop := context.WithCancel(ctx)
	defer stop()
	go s.w.balancer.Follow(living, r)
	select {
	case <-ctx.Done():
		return nil
	case <-dead:
	}
	s.w.balancer.Remove(r.Addr)
	return s.w.vacate(ctx)
}

// deadly is whether whoever made a call is to be killed for it.
func (s *succession) deadly(c call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ns, which := s.written.enter(c)
	if ns == "" || s.fell[ns] || s.due[ns] != which {
		return false
	}
	s.fell[ns] = true
	return true
}

// end has nobody lead any more. It says in which namespaces somebody was killed.
func (s *succession) end() (map[string]bool, error) {
	s.stop()
	err := <-s.done
	s.done <- err
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.fell), err
}
