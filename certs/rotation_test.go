package certs

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// world is a cluster of values: a Secret, two configurations, replicas and API servers that learn late, each at its own
// time but within what Delay promises. It holds plan, carry and pick to the promise that they are there for, over
// years, without waiting for them.
type world struct {
	t       *testing.T
	r       *rand.Rand
	now     time.Time
	secret  *corev1.Secret // nil: deleted
	asked   string
	bundles [2][]byte
	writer  int // the replica that leads
	replica []*view
	server  []*apiServer
	steps   map[action]int
	calls   int
	cas     map[string]bool

	handshakes map[string]error
}

// apiServer trusts what it saw last.
type apiServer struct {
	seen   [2][]byte
	seenAt time.Time
}

const tick = delay / 10

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 1)), now: start, steps: map[action]int{}, cas: map[string]bool{}}
	for range 3 {
		w.replica = append(w.replica, &view{})
		w.server = append(w.server, &apiServer{})
	}
	return w
}

func (w *world) state(of *view) state {
	s := state{held: of.held, names: names, delay: delay, asked: w.asked}
	for i, kind := range []string{mutatingKind, validatingKind} {
		s.configurations = append(s.configurations, configured(kind, w.bundles[i]))
	}
	if w.secret == nil {
		s.problem = "Secret does not exist"
		return s
	}
	m, err := parse(w.secret)
	if err != nil {
		s.problem = err.Error()
		return s
	}
	s.stored = m
	return s
}

// write is a step of the leader, at most one at a time, so that everybody may learn of each state in between.
func (w *world) write() action {
	s := w.state(w.replica[w.writer])
	next := plan(s, w.now)
	w.steps[next.do]++
	switch next.do {
	case wait:
		return wait
	case publish:
		// One configuration after the other: the writer may die in between.
		for i, c := range s.configurations {
			if !c.carries(s.stored.bundle()) {
				w.bundles[i] = s.stored.bundle()
				break
			}
		}
		return publish
	}
	m, err := s.carry(next.do, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.secret == nil {
		w.secret = &corev1.Secret{}
	}
	if err := m.write(w.secret); err != nil {
		w.t.Fatal(err)
	}
	w.cas[string(m.ca.cert.Raw)] = true
	return next.do
}

// learn has replicas and API servers read by chance, but in time.
func (w *world) learn() {
	for _, v := range w.replica {
		if w.r.IntN(4) == 0 || w.now.Sub(v.readAt) >= delay/2-tick {
			w.read(v)
		}
	}
	for _, a := range w.server {
		if w.r.IntN(4) == 0 || w.now.Sub(a.seenAt) >= delay-2*tick {
			a.seen, a.seenAt = w.bundles, w.now
		}
	}
}

func (w *world) read(v *view) { *v = v.next(w.state(v), w.now) }

// call has every API server call every replica, for each configuration.
func (w *world) call() {
	for i, v := range w.replica {
		if v.serving == nil {
			w.t.Fatalf("%s: replica %d serves nothing", w.now, i)
		}
		for j, a := range w.server {
			for k, raw := range a.seen {
				w.calls++
				if err := w.handshake(raw, v.serving.Leaf); err != nil {
					w.t.Fatalf("%s: API server %d refuses replica %d by configuration %d: %v", w.now, j, i, k, err)
				}
			}
		}
	}
}

// handshake is remembered while time goes by in minutes: most calls are like the one before.
func (w *world) handshake(bundle []byte, leaf *x509.Certificate) error {
	key := string(bundle) + string(leaf.Raw)
	if err, done := w.handshakes[key]; done {
		return err
	}
	cas, err := parseCerts(bundle)
	if err == nil {
		err = vouches(cas, leaf, names, w.now)
	}
	w.handshakes[key] = err
	return err
}

// settle lets everybody act until there is nothing to do, and calls all the while.
func (w *world) settle(calling bool) {
	w.handshakes = map[string]error{}
	for quiet := 0; quiet < 3; {
		w.now = w.now.Add(tick)
		if w.r.IntN(3) > 0 { // the leader is not always awake
			before := w.steps[wait]
			w.write()
			m, err := parse(w.secret)
			if err != nil {
				w.t.Fatal(err)
			}
			if w.steps[wait] > before && m.phase() == steady {
				quiet++
			}
		}
		w.learn()
		if calling {
			w.call()
		}
	}
}

// start is the installation: the first replica makes the Secret, then all read.
func (w *world) start() {
	w.write()
	for _, v := range w.replica {
		w.read(v)
	}
	w.settle(false)
	for _, a := range w.server { // the first call comes later than that
		a.seen, a.seenAt = w.bundles, w.now
	}
	w.call()
}

// TestRotationFailsNoCall lives through 300 days of renewals, rotations on request, deleted and spoiled
// Secrets, Secrets from a backup, new leaders and new replicas.
func TestRotationFailsNoCall(t *testing.T) {
	came := map[action]int{}
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, seed)
			w.start()
			backup := w.secret.DeepCopy()
			for i := 0; w.now.Before(start.Add(300 * day)); i++ {
				switch w.r.IntN(14) { // else it is quiet
				case 0:
					w.asked = fmt.Sprint("rotation ", i)
				case 1:
					w.secret = nil
				case 2:
					w.secret.Data[keyLeaf] = []byte("garbage")
				case 3:
					backup, w.secret = w.secret.DeepCopy(), backup
					w.adoptable()
				case 4:
					w.writer = w.r.IntN(len(w.replica))
				case 5:
					w.interrupted(i)
				case 6:
					fresh := &view{}
					w.read(fresh)
					w.replica[w.r.IntN(len(w.replica))] = fresh
				}
				w.settle(true)
				w.now = w.now.Add(time.Duration(w.r.IntN(9)) * day)
				w.settle(false) // nobody waits for nine days: everybody has read meanwhile
				for _, v := range w.replica {
					w.read(v)
				}
			}
			for do, times := range w.steps {
				came[do] += times
			}
			if len(w.cas) < 5 {
				t.Errorf("%d CAs in 300 days", len(w.cas))
			}
			t.Logf("%d calls, %d CAs, %v", w.calls, len(w.cas), w.steps)
		})
	}
	for _, do := range []action{wait, fresh, restore, renew, announce, publish, confirm, recall, swap, retire} {
		if came[do] == 0 {
			t.Errorf("the test never came to %q", do)
		}
	}
}

// adoptable leaves a backup in place only where it can be: one whose CA nobody trusts any more is a Secret to start
// from, and replicas that lost their memory cannot be helped.
func (w *world) adoptable() {
	m, err := parse(w.secret)
	if err != nil || !valid(m.ca.cert, w.now) || !valid(m.leaf.Leaf, w.now) {
		w.secret = nil
	}
}

// interrupted takes a bundle away while a rotation waits, at any moment of that, so that the wait has to begin anew.
func (w *world) interrupted(i int) {
	w.asked = fmt.Sprint("interrupted ", i)
	for range 100 {
		w.now = w.now.Add(tick)
		w.learn()
		if w.write() == confirm {
			break
		}
	}
	for range w.r.IntN(9) {
		w.now = w.now.Add(tick)
		w.write()
		w.learn()
	}
	m, err := parse(w.secret)
	if err != nil {
		w.t.Fatal(err)
	}
	if m.phase() == announced && bytes.Equal(w.bundles[0], m.bundle()) {
		w.bundles[0] = encodeCerts([]*x509.Certificate{m.ca.cert})
	}
	for _, a := range w.server {
		a.seen, a.seenAt = w.bundles, w.now
	}
}
