package certs

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

var (
	start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	names = []string{"waywarden.waywarden.svc"}
)

const (
	delay = 5 * time.Minute
	day   = 24 * time.Hour
)

// at is a state with everything in order, one CA, made at start.
func at(t *testing.T) state {
	t.Helper()
	s := state{names: names, delay: delay}
	m, err := s.carry(fresh, start)
	if err != nil {
		t.Fatal(err)
	}
	s.stored, s.held = m, m
	return s.published()
}

func (s state) published() state {
	s.configurations = nil
	for _, kind := range []string{mutatingKind, validatingKind} {
		s.configurations = append(s.configurations, configured(kind, s.stored.bundle()))
	}
	return s
}

func configured(kind string, bundle []byte) configuration {
	return configuration{kind: kind, name: "waywarden", uid: types.UID(kind), webhooks: []trusting{{"a.waywarden.dev", bundle}, {"b.waywarden.dev", bundle}}}
}

// after is the state once steps on the Secret were carried out, and published.
func (s state) after(t *testing.T, now time.Time, steps ...action) state {
	t.Helper()
	for _, do := range steps {
		m, err := s.carry(do, now)
		if err != nil {
			t.Fatal(err)
		}
		s.stored, s.held = m, m
	}
	return s.published()
}

func TestPlan(t *testing.T) {
	s := at(t)
	waiting := s.after(t, start, announce, confirm)
	swapped := waiting.after(t, start, swap)
	for _, tc := range []struct {
		name   string
		state  state
		change func(*state)
		at     time.Duration
		want   action
		wait   time.Duration
	}{
		{name: "nothing stored", state: s, change: func(s *state) { s.stored, s.held, s.problem = nil, nil, "gone" }, want: fresh},
		{name: "nothing stored, and all that is remembered is too old", state: s, change: func(s *state) { s.stored, s.problem = nil, "gone" }, at: 31 * day, want: fresh},
		{name: "nothing stored, but remembered", state: s, change: func(s *state) { s.stored, s.problem = nil, "gone" }, want: restore},
		{name: "all is well", state: s, want: wait, wait: 20*day - 20*time.Minute},
		{name: "a second before the leaf is due", state: s, at: 20*day - 20*time.Minute - time.Second, want: wait, wait: time.Second},
		{name: "the leaf is due", state: s, at: 20*day - 20*time.Minute, want: renew},
		{name: "the leaf is over", state: s, at: 40 * day, want: renew},
		{name: "the leaf is over and the CA due", state: s, at: 300 * day, want: renew},
		{name: "the CA is due", state: s.after(t, start.Add(250*day), renew), at: 250 * day, want: announce},
		{name: "the CA is over", state: s, at: 366 * day, want: fresh},
		{name: "the clock is before the CA", state: s, at: -2 * time.Hour, want: fresh},
		{name: "the clock is a little before", state: s, at: -59 * time.Minute, want: wait, wait: 20*day - 20*time.Minute + 59*time.Minute},
		{name: "another name", state: s, change: func(s *state) { s.names = []string{"webhook.waywarden.svc"} }, want: renew},
		{name: "a name less", state: s.after(t, start), change: func(s *state) { s.names = nil }, want: wait, wait: 20*day - 20*time.Minute},
		{name: "a bundle is wrong", state: s, change: func(s *state) { s.configurations[1].webhooks[1].bundle = []byte("garbage") }, want: publish},
		{name: "a bundle has a CA too many", state: s, change: func(s *state) { s.configurations[0] = waiting.configurations[0] }, want: publish},
		{name: "a configuration is not there yet", state: s, change: func(s *state) { s.configurations[0] = configuration{kind: mutatingKind} }, want: wait, wait: 20*day - 20*time.Minute},
		{name: "asked to rotate", state: s, change: func(s *state) { s.asked = "now" }, want: announce},
		{name: "asked for what was done", state: s, change: func(s *state) { s.asked, s.stored.done = "now", "now" }, want: wait, wait: 20*day - 20*time.Minute},

		{name: "announced, not published", state: s.after(t, start, announce), change: func(x *state) { x.configurations = s.configurations }, want: publish},
		{name: "announced, published in one only", state: s.after(t, start, announce), change: func(x *state) { x.configurations[1] = s.configurations[1] }, want: publish},
		{name: "announced and published", state: s.after(t, start, announce), want: confirm},
		{name: "announced, the delay runs", state: waiting, at: time.Minute, want: wait, wait: 4 * time.Minute},
		{name: "announced, the delay is over", state: waiting, at: delay, want: swap},
		{name: "announced, a bundle was lost", state: waiting, at: delay, change: func(x *state) { x.configurations[0] = s.configurations[0] }, want: recall},
		{name: "announced, that was recalled", state: waiting.after(t, start, recall), at: delay, want: confirm},
		{name: "announced by a clock ahead of ours", state: waiting, at: -delay - time.Second, want: confirm},
		{name: "announced, and forgotten for a year", state: waiting.after(t, start.Add(364*day), renew), change: func(s *state) { s.stored.since = time.Time{} }, at: 366 * day, want: fresh},
		{name: "announced and trusted when the CA ends", state: s.after(t, start.Add(364*day), announce, confirm), at: 365*day + time.Second, want: swap},
		{name: "asked again while it rotates", state: waiting, change: func(s *state) { s.asked = "again" }, at: time.Minute, want: wait, wait: 4 * time.Minute},

		{name: "swapped, the delay runs", state: swapped, at: time.Minute, want: wait, wait: 4 * time.Minute},
		{name: "swapped, the delay is over", state: swapped, at: delay, want: retire},
		{name: "swapped, a bundle was lost", state: swapped, at: delay, change: func(x *state) { x.configurations[0] = s.configurations[0] }, want: publish},
		{name: "swapped, nobody knows when", state: swapped, change: func(s *state) { s.stored.since = time.Time{} }, at: delay, want: confirm},
		{name: "retired", state: swapped.after(t, start, retire), at: delay, want: wait, wait: 20*day - 20*time.Minute - delay},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := tc.state.clone()
			if tc.change != nil {
				tc.change(&s)
			}
			got := plan(s, start.Add(tc.at))
			if got.do != tc.want || got.wait != tc.wait || got.do != wait && got.why == "" {
				t.Errorf("%q in %s (%s), want %q in %s and why", got.do, got.wait, got.why, tc.want, tc.wait)
			}
		})
	}
}

// clone lets a case change its state and no other's.
func (s state) clone() state {
	m := *s.stored
	s.stored = &m
	var cs []configuration
	for _, c := range s.configurations {
		c.webhooks = append([]trusting(nil), c.webhooks...)
		cs = append(cs, c)
	}
	s.configurations = cs
	return s
}

// TestRotationKeepsWhatIsServedTrusted: in each phase, what is trusted vouches for the leaf of this phase, of the one
// before and of the one after.
func TestRotationKeepsWhatIsServedTrusted(t *testing.T) {
	s := at(t)
	phases := []state{s, s.after(t, start, announce, confirm)}
	phases = append(phases, phases[1].after(t, start, swap))
	phases = append(phases, phases[2].after(t, start, retire))
	var got []phase
	for i, s := range phases {
		got = append(got, s.stored.phase())
		for _, j := range []int{i - 1, i, i + 1} {
			if j < 0 || j >= len(phases) {
				continue
			}
			if err := vouches(s.stored.trust(), phases[j].stored.leaf.Leaf, names, start); err != nil {
				t.Errorf("phase %d does not trust the certificate of phase %d: %v", i, j, err)
			}
		}
	}
	if diff := cmp.Diff([]phase{steady, announced, retiring, steady}, got); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	first, last := phases[0].stored, phases[3].stored
	if vouches(first.trust(), last.leaf.Leaf, names, start) == nil || vouches(last.trust(), first.leaf.Leaf, names, start) == nil {
		t.Error("nothing was rotated: the first and the last CA vouch for each other's certificates")
	}
}

// TestCarryLeavesTheStateAsItWas: two writers that plan from one state do not see each other's steps.
func TestCarryLeavesTheStateAsItWas(t *testing.T) {
	s := at(t).after(t, start, announce, confirm, swap)
	var before, after corev1.Secret
	if err := s.stored.write(&before); err != nil {
		t.Fatal(err)
	}
	for _, do := range []action{fresh, restore, renew, announce, recall, confirm, retire} {
		if _, err := s.carry(do, start); err != nil {
			t.Errorf("%s: %v", do, err)
		}
	}
	if err := s.stored.write(&after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestFreshKeepsWhatIsTrusted: where nothing is left but the bundles, their CAs stay trusted beside the new one,
// because a replica may still serve for them; what ended does not stay.
func TestFreshKeepsWhatIsTrusted(t *testing.T) {
	s := at(t)
	old := s.stored.ca.cert
	ended, err := newAuthority(start.Add(-400 * day))
	if err != nil {
		t.Fatal(err)
	}
	s.stored, s.held = nil, nil
	s.configurations[0].webhooks[0].bundle = encodeCerts([]*x509.Certificate{ended.cert, old})
	s.configurations[0].webhooks[1].bundle = []byte("garbage")
	m, err := s.carry(fresh, start)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.previous) != 1 || !m.previous[0].Equal(old) {
		t.Errorf("%d CAs are kept, want the old one alone", len(m.previous))
	}
	if m.phase() != retiring || !m.since.IsZero() {
		t.Errorf("phase %s since %s, want Retiring, with a wait that begins once it is published", m.phase(), m.since)
	}
}

// TestRestoreRotates: a deleted Secret comes back as it was, and its keys go the way of any rotation.
func TestRestoreRotates(t *testing.T) {
	s := at(t)
	old := s.stored
	s.stored, s.problem = nil, "Secret does not exist"
	m, err := s.carry(restore, start)
	if err != nil {
		t.Fatal(err)
	}
	if !m.leaf.Leaf.Equal(old.leaf.Leaf) || !m.ca.cert.Equal(old.ca.cert) {
		t.Error("what is served changed at once")
	}
	if m.phase() != announced {
		t.Errorf("phase %s, want Announced", m.phase())
	}
	// What was remembered may be older than the bundles: the wait begins anew.
	s.held = at(t).after(t, start, announce, confirm).stored
	if m, err = s.carry(restore, start); err != nil || !m.since.IsZero() || !m.next.cert.Equal(s.held.next.cert) {
		t.Errorf("%v; since %s, want the CA that was announced, and a wait that has not begun", err, m.since)
	}
}

func TestLeafIsAsPromised(t *testing.T) {
	a, err := newAuthority(start)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := a.issue([]string{"waywarden.waywarden.svc", "127.0.0.1"}, start)
	if err != nil {
		t.Fatal(err)
	}
	type promise struct {
		CA, Leaf   time.Duration
		Algorithm  x509.PublicKeyAlgorithm
		Signature  x509.SignatureAlgorithm
		IsCA, Sign bool
		Usage      []x509.ExtKeyUsage
	}
	c := leaf.Leaf
	got := promise{a.cert.NotAfter.Sub(start), c.NotAfter.Sub(start), c.PublicKeyAlgorithm, c.SignatureAlgorithm, c.IsCA, c.KeyUsage&x509.KeyUsageCertSign != 0, c.ExtKeyUsage}
	want := promise{365 * day, 30 * day, x509.ECDSA, x509.ECDSAWithSHA256, false, false, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, name := range []string{"waywarden.waywarden.svc", "127.0.0.1"} {
		// An API server whose clock is behind accepts it as well.
		if err := vouches([]*x509.Certificate{a.cert}, c, []string{name}, start.Add(-backdate+time.Minute)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if covers(c, []string{"other.waywarden.svc"}) {
		t.Error("it is for a name that was not asked for")
	}
	late, err := a.issue(names, start.Add(350*day))
	if err != nil {
		t.Fatal(err)
	}
	if late.Leaf.NotAfter.After(a.cert.NotAfter) {
		t.Error("a certificate outlives its CA")
	}
}
