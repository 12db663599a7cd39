package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

var monday = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func found(names ...string) Found {
	var out Found
	for _, n := range names {
		out.Records = append(out.Records, NewRecord(policies.Finding{Check: "effect/x", Severity: policies.High,
			Object: mesh.Ref{Kind: "AuthorizationPolicy", Namespace: "shop", Name: n}}, v1alpha1.Warn, ""))
	}
	return out
}

// names are the objects of records with the days since monday of first, last and resolved.
func names(records []Record) []string {
	out := []string{}
	day := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return fmt.Sprint(int(t.Sub(monday).Hours() / 24))
	}
	for _, r := range records {
		out = append(out, fmt.Sprintf("%s %s %s %s", r.Object.Name, day(r.FirstSeen), day(r.LastSeen), day(r.ResolvedAt)))
	}
	return out
}

func TestLedger(t *testing.T) {
	l := New(Options{Most: 2, Retain: 5 * 24 * time.Hour})
	for i, step := range []struct {
		day                         int
		found                       []string
		open, resolved, fresh, gone []string
	}{
		{0, []string{"a", "b"}, []string{"a 0 0 -", "b 0 0 -"}, []string{}, []string{"a 0 0 -", "b 0 0 -"}, []string{}},
		{1, []string{"b", "c"}, []string{"b 0 1 -", "c 1 1 -"}, []string{"a 0 0 1"}, []string{"c 1 1 -"}, []string{"a 0 0 1"}},
		{2, []string{"a", "b"}, []string{"a 2 2 -", "b 0 2 -"}, []string{"c 1 1 2"}, []string{"a 2 2 -"}, []string{"c 1 1 2"}}, // what comes back is new
		{1, []string{"a", "b"}, []string{"a 2 2 -", "b 0 1 -"}, []string{"c 1 1 2"}, []string{}, []string{}},                   // the clock went back
		{1, []string{"b"}, []string{"b 0 1 -"}, []string{"c 1 1 2", "a 2 2 2"}, []string{}, []string{"a 2 2 2"}},               // and still nothing ends before it began
		{3, []string{}, []string{}, []string{"b 0 1 3", "c 1 1 2"}, []string{}, []string{"b 0 1 3"}},                           // at most two
		{9, []string{"d", "d"}, []string{"d 9 9 -", "d 9 9 -"}, []string{}, []string{"d 9 9 -"}, []string{}},                   // not for long; twice the same is one
		{10, []string{"d"}, []string{"d 9 10 -"}, []string{}, []string{}, []string{}},
	} {
		p, fresh, gone := l.Update("shop", found(step.found...), monday.AddDate(0, 0, step.day))
		got := [][]string{names(p.Open), names(p.Resolved), names(fresh), names(gone)}
		if diff := cmp.Diff([][]string{step.open, step.resolved, step.fresh, step.gone}, got); diff != "" {
			t.Errorf("step %d: open, resolved, new, gone (-want +got):\n%s", i, diff)
		}
	}
}

func TestRestore(t *testing.T) {
	before := New(Options{})
	p, _, _ := before.Update("shop", found("a", "b"), monday)
	cut := p.Open[1]
	after := New(Options{})
	after.Restore(&Place{Namespace: "shop", Open: p.Open[:1], Unlisted: []Unlisted{unlisted(cut)}})
	p, fresh, gone := after.Update("shop", found("b", "c"), monday.AddDate(0, 0, 3))
	if diff := cmp.Diff([][]string{{"b 0 3 -", "c 3 3 -"}, {"c 3 3 -"}, {"a 0 0 3"}}, [][]string{names(p.Open), names(fresh), names(gone)}); diff != "" {
		t.Errorf("open, new, gone (-want +got):\n%s", diff)
	}
	if len(p.Unlisted) > 0 {
		t.Errorf("what was found again is known by its key alone: %v", p.Unlisted)
	}
}

// TestRestoreLate: what could not be read at first, because nobody had given the right to, makes older what was found meanwhile, and
// what is not found any more is gone.
func TestRestoreLate(t *testing.T) {
	before := New(Options{})
	p, _, _ := before.Update("shop", found("a", "b", "c", "d"), monday)
	stored := &Place{Namespace: "shop", Open: p.Open[:2], Unlisted: []Unlisted{unlisted(p.Open[2]), unlisted(p.Open[3])}}
	after := New(Options{})
	after.Update("shop", found("a", "c", "e"), monday.AddDate(0, 0, 3))
	after.Restore(stored)
	p, fresh, gone := after.Update("shop", found("a", "c", "e"), monday.AddDate(0, 0, 4))
	if diff := cmp.Diff([][]string{{"a 0 4 -", "c 0 4 -", "e 3 4 -"}, {}, {"b 0 0 4", " 0 0 4"}}, [][]string{names(p.Open), names(fresh), names(gone)}); diff != "" {
		t.Errorf("open, new, gone (-want +got):\n%s", diff)
	}
}

func unlisted(r Record) Unlisted {
	return Unlisted{Key: Key(r.Fingerprint), Kind: r.Object.Kind, As: "fail", FirstSeen: r.FirstSeen}
}

// TestUnread: what was found in objects of a kind that cannot be read stands, also that of which no more is known than a key, and also
// where two findings are alike; when it can be read, what is not found is gone, and of what is only known by its key that is told too.
func TestUnread(t *testing.T) {
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	all := New(Options{})
	whole, _, _ := all.Update("shop", found("a", "a", "b", "c"), monday)
	l := New(Options{})
	l.Restore(&Place{Namespace: "shop", Open: whole.Open[:2], Unlisted: []Unlisted{unlisted(whole.Open[2]), unlisted(whole.Open[3]), unlisted(whole.Open[3])}})
	blind := Found{Unread: map[string]bool{"AuthorizationPolicy": true}}
	for n := range 2 {
		p, fresh, gone := l.Update("shop", blind, day(n+1))
		if len(p.Open) != 2 || len(p.Unlisted) != 3 || len(fresh)+len(gone) > 0 {
			t.Fatalf("while it cannot be read: %d stand, %d of which little is known; %d are new, %d gone", len(p.Open), len(p.Unlisted), len(fresh), len(gone))
		}
	}
	if at, known := l.Since(whole.Open[3].Fingerprint); !known || !at.Equal(monday) {
		t.Errorf("c is known %v, since %s", known, at)
	}
	p, fresh, gone := l.Update("shop", found("b", "d"), day(4))
	if diff := cmp.Diff([][]string{{"b 0 4 -", "d 4 4 -"}, {"d 4 4 -"}, {"a 0 0 4", " 0 0 4"}, {"a 0 0 4"}},
		[][]string{names(p.Open), names(fresh), names(gone), names(p.Resolved)}); diff != "" {
		t.Errorf("open, new, gone, told as resolved (-want +got):\n%s", diff)
	}
	if last := gone[1]; last.Fingerprint != Key(whole.Open[3].Fingerprint) || last.Object.Kind != "AuthorizationPolicy" || len(p.Unlisted) > 0 {
		t.Errorf("of what was known by its key alone is told %+v; %d are left", last, len(p.Unlisted))
	}
	l = New(Options{})
	l.Restore(&Place{Namespace: "shop", Unlisted: []Unlisted{unlisted(whole.Open[3])}})
	if _, _, gone := l.Update("shop", Found{Unread: map[string]bool{"Service": true}}, day(5)); len(gone) != 1 {
		t.Errorf("another kind cannot be read, and %d are gone", len(gone))
	}
}

// TestUnasked: what a check found of which not everything is known stands, as does that of which no check is known; and is gone when
// everything is known and it is not found.
func TestUnasked(t *testing.T) {
	whole, _, _ := New(Options{}).Update("shop", found("a", "b"), monday)
	for check, want := range map[string]int{"effect/x": 0, "waypoint/stopped": 1} {
		l := New(Options{})
		l.Restore(&Place{Namespace: "shop", Open: whole.Open[:1], Unlisted: []Unlisted{unlisted(whole.Open[1])}})
		p, fresh, gone := l.Update("shop", Found{Unasked: map[string]bool{check: true}}, monday.AddDate(0, 0, 1))
		if len(gone) != want || len(p.Open) != 1-want || len(p.Unlisted) != 1 || len(fresh) > 0 {
			t.Errorf("%s: %d are gone, want %d; %d stand, and %d of which little is known", check, len(gone), want, len(p.Open), len(p.Unlisted))
		}
		if p, _, gone := l.Update("shop", Found{}, monday.AddDate(0, 0, 2)); len(gone) != 2-want || len(p.Open)+len(p.Unlisted) > 0 {
			t.Errorf("%s: when everything is known, %d are gone, want %d", check, len(gone), 2-want)
		}
	}
}

// TestLastSeen: what is gone was last seen by the audit before, also where nothing has changed since it was found; but not by one that
// could not look, and not by one before it was known here.
func TestLastSeen(t *testing.T) {
	day := func(n int) time.Time { return monday.AddDate(0, 0, n) }
	blind := Found{Unread: map[string]bool{"AuthorizationPolicy": true}}
	for _, tc := range []struct {
		name string
		do   func(*Ledger)
		want string
	}{
		{"nothing changed", func(l *Ledger) { l.Update("shop", found("a"), day(0)); l.Saw(day(0)); l.Saw(day(3)) }, "a 0 3 4"},
		{"nobody looked", func(l *Ledger) { l.Update("shop", found("a"), day(0)); l.Saw(day(0)) }, "a 0 0 4"},
		{"it could not be read", func(l *Ledger) {
			l.Update("shop", found("a"), day(0))
			l.Saw(day(1))
			for n := 2; n < 4; n++ {
				l.Update("shop", blind, day(n))
				l.Saw(day(n))
			}
		}, "a 0 1 4"},
		{"it could be read again", func(l *Ledger) {
			l.Update("shop", found("a"), day(0))
			l.Update("shop", blind, day(1))
			l.Update("shop", found("a"), day(2))
			l.Saw(day(3))
		}, "a 0 3 4"},
		{"restored", func(l *Ledger) {
			p, _, _ := New(Options{}).Update("shop", found("a"), day(0))
			l.Restore(&Place{Namespace: "shop", Open: p.Open})
			l.Saw(day(3))
		}, "a 0 0 4"},
		{"restored late", func(l *Ledger) {
			p, _, _ := New(Options{}).Update("shop", found("a"), day(0))
			l.Update("shop", found(), day(1))
			l.Restore(&Place{Namespace: "shop", Open: p.Open})
			l.Saw(day(3))
		}, "a 0 0 4"},
		{"the clock went back", func(l *Ledger) { l.Update("shop", found("a"), day(0)); l.Saw(day(6)) }, "a 0 6 6"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := New(Options{})
			tc.do(l)
			_, _, gone := l.Update("shop", found(), day(4))
			if diff := cmp.Diff([]string{tc.want}, names(gone)); diff != "" {
				t.Errorf("gone (-want +got):\n%s", diff)
			}
		})
	}
}
