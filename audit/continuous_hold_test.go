package audit

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestHeld: while a kind cannot be read that answers depend on, nothing counts as resolved, neither what was found before nor
// what reports say from before a restart; and what is found afterwards is no newer than it is.
func TestHeld(t *testing.T) {
	whole, blind, mended := shopMeshes(t)
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name     string
		sequence []*mesh.Snapshot
		restored bool
		want     []string // what is told, at which hour
		held     []bool
		open     time.Time // since when the finding is there; zero: it is not
	}{
		{"in between", []*mesh.Snapshot{whole, blind, blind, whole}, false, []string{"0: 1 new, 0 resolved"}, []bool{true, false}, noon},
		{"at first", []*mesh.Snapshot{blind, whole}, false, []string{"1: 1 new, 0 resolved"}, []bool{true, false}, noon.Add(time.Hour)},
		{"after a restart", []*mesh.Snapshot{blind, whole}, true, nil, []bool{true, false}, noon.Add(-time.Hour)},
		{"mended meanwhile", []*mesh.Snapshot{whole, blind, mended}, false, []string{"0: 1 new, 0 resolved", "2: 0 new, 1 resolved"}, []bool{true, false}, time.Time{}},
		{"to the end", []*mesh.Snapshot{whole, blind}, false, []string{"0: 1 new, 0 resolved"}, []bool{true}, noon},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := clocktesting.NewFakeClock(noon)
			var told []string
			var held []bool
			hour := 0
			c := NewContinuous(ContinuousOptions{Clock: clock, Authored: authoredNothing(),
				Tell: func(n News) { told = append(told, countsOf(hour, n)) },
				Held: func(is bool) { held = append(held, is) }})
			if tc.restored {
				before := NewContinuous(ContinuousOptions{Clock: clock, Authored: c.Authored})
				before.audit(whole)
				open := slices.Clone(before.ledger.Places()[1].Open)
				open[0].FirstSeen = noon.Add(-time.Hour)
				c.ledger.Restore(&ledger.Place{Namespace: "shop", Open: open})
			}
			for _, s := range tc.sequence {
				c.audit(s)
				hour++
				clock.Step(time.Hour)
			}
			if diff := cmp.Diff(tc.want, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.held, held); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
			var open time.Time
			for _, p := range c.ledger.Places() {
				for _, r := range p.Open {
					open = r.FirstSeen
				}
			}
			if !open.Equal(tc.open) {
				t.Errorf("it is there since %s, want %s", open, tc.open)
			}
		})
	}
}

func countsOf(hour int, n News) string {
	return fmt.Sprintf("%d: %d new, %d resolved", hour, len(n.New), len(n.Resolved))
}

// TestUnreadKind: what was found in objects of a kind that cannot be read stands, while everything else is judged; and when it
// can be read again, what is not there any more is gone.
func TestUnreadKind(t *testing.T) {
	namespace := decoded(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "shop", "labels": map[string]any{"istio.io/dataplane-mode": "ambient"}}})
	filter := decoded(t, map[string]any{"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": map[string]any{"name": "old", "namespace": "shop"},
		"spec": map[string]any{"configPatches": []any{map[string]any{"applyTo": "HTTP_FILTER", "match": map[string]any{"context": "SIDECAR_INBOUND"},
			"patch": map[string]any{"operation": "INSERT_BEFORE", "value": map[string]any{"name": "x"}}}}}})
	with, without := mesh.New(mesh.Options{}, namespace, filter), mesh.New(mesh.Options{}, namespace)
	clock := clocktesting.NewFakeClock(time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC))
	rules := &Authored{}
	rules.Rulebook, _ = decide.New(decide.Options{}, nil, nil)
	var found, gone int
	c := NewContinuous(ContinuousOptions{Clock: clock, Authored: func() *Authored { return rules }, Tell: func(n News) { found, gone = found+len(n.New), gone+len(n.Resolved) }})
	unread := []inventory.Unread{{Kind: "EnvoyFilter"}}
	for i, step := range []struct {
		mesh   *mesh.Snapshot
		unread []inventory.Unread
		gone   bool
	}{{with, nil, false}, {without, unread, false}, {with, nil, false}, {without, unread, false}, {without, nil, true}} {
		c.cannotRead(step.unread)
		c.audit(step.mesh)
		if found == 0 || (gone == found) != step.gone || !step.gone && gone != 0 {
			t.Fatalf("step %d: %d were found and %d are gone", i, found, gone)
		}
		clock.Step(time.Hour)
	}
}

// TestLastSeen: each audit sees what is found, also where nothing has changed, but not while it is held.
func TestLastSeen(t *testing.T) {
	whole, blind, mended := shopMeshes(t)
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name     string
		sequence []*mesh.Snapshot
		want     time.Duration // after noon
	}{
		{"nothing changed", []*mesh.Snapshot{whole, whole, whole, mended}, 2 * time.Hour},
		{"held meanwhile", []*mesh.Snapshot{whole, whole, blind, mended}, time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := clocktesting.NewFakeClock(noon)
			var gone []ledger.Record
			c := NewContinuous(ContinuousOptions{Clock: clock, Authored: authoredNothing(), Tell: func(n News) { gone = append(gone, n.Resolved...) }})
			for _, s := range tc.sequence {
				c.audit(s)
				clock.Step(time.Hour)
			}
			if len(gone) != 1 || !gone[0].LastSeen.Equal(noon.Add(tc.want)) || !gone[0].ResolvedAt.Equal(noon.Add(3*time.Hour)) {
				t.Errorf("gone is %+v, want one that was last seen %s after noon", gone, tc.want)
			}
		})
	}
}

// TestResolvedExpires: what is gone is told for a week, and its report is written anew then, also where nothing else changes.
func TestResolvedExpires(t *testing.T) {
	whole, _, mended := shopMeshes(t)
	clock := clocktesting.NewFakeClock(time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC))
	c := NewContinuous(ContinuousOptions{Clock: clock, Authored: authoredNothing()})
	c.audit(whole)
	c.audit(mended)
	for _, step := range []struct {
		after   time.Duration
		told    int
		pending []string
	}{{0, 1, []string{}}, {7 * 24 * time.Hour, 1, []string{}}, {time.Second, 0, []string{"shop"}}, {time.Second, 0, []string{}}} {
		clear(c.pending)
		clock.Step(step.after)
		c.audit(mended)
		told := 0
		for _, p := range c.ledger.Places() {
			told += len(p.Resolved)
		}
		if diff := cmp.Diff(step.pending, slices.AppendSeq([]string{}, maps.Keys(c.pending))); diff != "" || told != step.told {
			t.Errorf("%s later %d are told as resolved, want %d; to be written (-want +got):\n%s", step.after, told, step.told, diff)
		}
	}
}

// TestForgetsWithoutReports: where no reports are written, nothing is kept of namespaces that are gone.
func TestForgetsWithoutReports(t *testing.T) {
	var told []string
	turn := 0
	c := NewContinuous(ContinuousOptions{Clock: clocktesting.NewFakeClock(time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)), Authored: authoredNothing(),
		Tell: func(n News) { told = append(told, countsOf(turn, n)) }})
	noOp := map[string]any{"action": "DENY", "rules": []any{map[string]any{"to": []any{map[string]any{"operation": map[string]any{"methods": []any{"DELETE"}}}}}}}
	for ; turn < 4; turn++ {
		name := fmt.Sprintf("preview-%d", turn)
		c.audit(mesh.New(mesh.Options{},
			decoded(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": map[string]any{"istio.io/dataplane-mode": "ambient"}}}),
			decoded(t, map[string]any{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": map[string]any{"name": "no-op", "namespace": name}, "spec": noOp})))
		var known []string
		for _, p := range c.ledger.Places() {
			known = append(known, p.Namespace)
		}
		if diff := cmp.Diff([]string{"", name}, known); diff != "" {
			t.Errorf("turn %d: known (-want +got):\n%s", turn, diff)
		}
		if diff := cmp.Diff([]string{"", name}, slices.Sorted(maps.Keys(c.pending))); diff != "" {
			t.Errorf("turn %d: to be written (-want +got):\n%s", turn, diff)
		}
	}
	if diff := cmp.Diff([]string{"0: 1 new, 0 resolved", "1: 1 new, 1 resolved", "2: 1 new, 1 resolved", "3: 1 new, 1 resolved"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestHeldAtFirst: an audit that is held when nothing is known yet has that to report, for what lies in no namespace.
func TestHeldAtFirst(t *testing.T) {
	whole, blind, _ := shopMeshes(t)
	c := NewContinuous(ContinuousOptions{Clock: clocktesting.NewFakeClock(time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)), Authored: authoredNothing()})
	for i, step := range []struct {
		mesh *mesh.Snapshot
		want []string
	}{{blind, []string{""}}, {whole, []string{"", "shop"}}} {
		clear(c.pending)
		c.audit(step.mesh)
		if diff := cmp.Diff(step.want, slices.Sorted(maps.Keys(c.pending))); diff != "" {
			t.Errorf("step %d: to be written (-want +got):\n%s", i, diff)
		}
		if diff := cmp.Diff(step.want, slices.Sorted(maps.Keys(c.reported()))); diff != "" {
			t.Errorf("step %d: with something to say (-want +got):\n%s", i, diff)
		}
	}
}

// TestBesideAfterRestart: what was found beside the checks before a restart stands until everything of it is known, and is then as old
// as it was, or gone.
func TestBesideAfterRestart(t *testing.T) {
	_, _, whole := shopMeshes(t)
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	stop := policies.Finding{Check: "waypoint/stopped", Object: mesh.Ref{Kind: "Service", Namespace: "shop", Name: "a"}, Message: "it is another one's", Namespaces: []string{"shop"}}
	for _, tc := range []struct {
		name string
		then []policies.Finding
		want []string
		open int
	}{
		{"still there", []policies.Finding{stop}, nil, 1},
		{"gone", nil, []string{"2: 0 new, 1 resolved"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := clocktesting.NewFakeClock(noon)
			var told []string
			hour := 0
			all := false
			beside := Beside{Checks: []string{stop.Check}, Findings: func() ([]policies.Finding, bool) {
				if all {
					return tc.then, true
				}
				return nil, false
			}}
			c := NewContinuous(ContinuousOptions{Clock: clock, Authored: authoredNothing(), Beside: beside, Tell: func(n News) { told = append(told, countsOf(hour, n)) }})
			before := ledger.NewRecord(stop, v1alpha1.Warn, "")
			before.FirstSeen = noon.Add(-time.Hour)
			c.ledger.Restore(&ledger.Place{Namespace: "shop", Open: []ledger.Record{before}})
			for ; hour < 4; hour++ {
				all = hour >= 2
				c.audit(whole)
				clock.Step(time.Hour)
			}
			if diff := cmp.Diff(tc.want, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			var open []ledger.Record
			for _, p := range c.ledger.Places() {
				open = append(open, p.Open...)
			}
			if len(open) != tc.open || len(open) > 0 && !open[0].FirstSeen.Equal(noon.Add(-time.Hour)) {
				t.Errorf("it is there as %+v", open)
			}
		})
	}
}

// shopMeshes are a namespace with a policy that does nothing, the same where namespaces cannot be read, and without the policy.
func shopMeshes(t *testing.T) (whole, blind, mended *mesh.Snapshot) {
	namespace := decoded(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "shop", "labels": map[string]any{"istio.io/dataplane-mode": "ambient"}}})
	noOp := decoded(t, map[string]any{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": map[string]any{"name": "no-op", "namespace": "shop"},
		"spec": map[string]any{"action": "DENY", "rules": []any{map[string]any{"to": []any{map[string]any{"operation": map[string]any{"methods": []any{"DELETE"}}}}}}}})
	return mesh.New(mesh.Options{}, namespace, noOp), mesh.New(mesh.Options{}, noOp), mesh.New(mesh.Options{}, namespace)
}

// authoredNothing is that nobody wrote a rule.
func authoredNothing() func() *Authored {
	rules := &Authored{}
	rules.Rulebook, _ = decide.New(decide.Options{}, nil, nil)
	return func() *Authored { return rules }
}
