//go:build cluster

package waypoints

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestKilledAfterEachWrite: what one leader that nobody disturbs writes in the lives of waypoints is taken down: of one that is made,
// asked for less and removed; of what moves to another one, at once and by steps; of one that two namespaces share; of a hold that
// becomes a guard. Then there is a life for each of these writes, but for those of which another kind of life has the like, and whoever
// leads is killed when the API server has stored that one, before it hears of that. The next one finishes: each of them becomes, and
// leaves behind, what the one became and left that nobody disturbed, by way of the same bindings, and with nothing made twice.
func TestKilledAfterEachWrite(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.apply(fmt.Sprintf(guardrail, ", bypass: Guard"))
	w.killedAfterEachWrite(lives, hurry)
}

// killedAfterEachWrite is that of some kinds of lives, by replicas with some flags.
func (w *world) killedAfterEachWrite(kinds []life, flags []string) {
	w.t.Helper()
	h, r := w.remember(), w.replica(flags...)
	var alone []string
	for _, k := range kinds {
		w.apply(k.rules)
		alone = append(alone, k.kind+"-000")
	}
	undisturbed := w.prepare(kinds, alone)
	began := time.Now()
	undisturbed.live()
	written := tally{}
	due := undisturbed.due(r.since(began), written)
	disturbed := w.prepare(kinds, slices.Sorted(maps.Keys(due)))
	w.dethrone(r)
	began = time.Now()
	s := w.succeed(due, flags)
	disturbed.apply = w.admit
	disturbed.live()
	fell, err := s.end()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, life := range slices.Concat(undisturbed.names, disturbed.names) {
		for _, lack := range h.less(life, disturbed.kind(life).parts) {
			w.t.Errorf("killed after %q: %s", due[life], lack)
		}
	}
	for _, life := range disturbed.names {
		k := disturbed.kind(life)
		one := k.kind + "-000"
		for i, stage := range k.stages {
			if diff := cmp.Diff(undisturbed.was[one][i], disturbed.was[life][i]); diff != "" {
				w.t.Errorf("%s, killed after %s, is not as if nobody had been, when it is %s (-undisturbed +killed):\n%s", life, due[life], stage.is, diff)
			}
		}
		if diff := cmp.Diff(h.of(one, k.parts), h.of(life, k.parts)); diff != "" {
			w.t.Errorf("%s, killed after %s, went another way (-undisturbed +killed):\n%s", life, due[life], diff)
		}
		for _, what := range s.beyond(life, written, one) {
			w.t.Errorf("%s, killed after %s: somebody wrote what nobody writes undisturbed: %s", life, due[life], what)
		}
		// What is only told, or let in, may be so at once of two things that happened one after the other.
		if !fell[life] && !told(due[life]) && !widened(due[life]) {
			w.t.Errorf("nobody was killed after %s, of %s", due[life], life)
		}
	}
	w.t.Logf("%d leaders were killed, after %d of %d writes, within %s", s.killed, len(fell), len(due), time.Since(began))
}

// due enters what was written in lives that nobody disturbed, and names a life for each of these writes after which somebody is to be killed.
func (r *run) due(calls []call, written tally) map[string]string {
	r.t.Helper()
	out, all := map[string]string{}, map[string][]string{}
	for _, c := range calls {
		life, which := written.enter(c)
		if which == "" {
			continue
		}
		all[life] = append(all[life], which)
		if k := r.kind(life); !c.at.Before(r.began[k.from]) && (k.spares == nil || !k.spares(which)) {
			out[fmt.Sprintf("%s-%03d", k.kind, len(out)+1)] = which
		}
	}
	for _, name := range r.names {
		writes := all[name]
		r.t.Logf("%s: %d writes:\n%s", name, len(writes), strings.Join(writes, "\n"))
		if k := r.kind(name); k.check != nil {
			k.check(r.t, writes)
		}
	}
	return out
}
