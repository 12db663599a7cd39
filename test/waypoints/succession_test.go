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
	"time"

	"github.com/waywarden/waywarden/test/serving"
)

// tally counts the writes in each life, by what is written and how often it was before.
type tally map[string]int

// lifeOf is the life to whose namespaces a path leads.
var lifeOf = regexp.MustCompile(`/namespaces/([a-z]+-[0-9]+)`)

// enter takes a call down. It says in which life it wrote, and which write it was there; "" where it wrote nothing in one.
func (m tally) enter(c call) (life, which string) {
	path, query, _ := strings.Cut(c.path, "?")
	found := lifeOf.FindStringSubmatch(path)
	if len(writes([]call{c})) == 0 || c.routine() || c.status >= 300 || found == nil {
		return "", ""
	}
	what := c.method + " " + strings.ReplaceAll(path, found[1], "LIFE")
	if strings.Contains(query, "waywarden-waypoints-status") {
		what += " (told)"
	}
	m[found[1]+" "+what]++
	return found[1], fmt.Sprintf("%s, %d.", what, m[found[1]+" "+what])
}

// of are the writes in a life, however often.
func (m tally) of(life string) []string {
	var out []string
	for what := range m {
		if rest, ok := strings.CutPrefix(what, life+" "); ok {
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return out
}

// told is whether a write only tells something.
func told(which string) bool { return strings.Contains(which, "(told)") }

// succession are leaders, each of which comes when the last one was killed.
type succession struct {
	w    *world
	stop context.CancelFunc
	done chan error

	flags []string

	mu      sync.Mutex
	killed  int
	written tally
	due     map[string]string // by life: the write after which its leader is to be killed
	fell    map[string]bool   // by life: whether one was
}

// succeed has somebody lead from now on, and kills whoever does when what is due in a life was written.
func (w *world) succeed(due map[string]string, flags []string) *succession {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	s := &succession{w: w, stop: cancel, flags: flags, done: make(chan error, 1), written: tally{}, due: due, fell: map[string]bool{}}
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

// together is how long whoever is to be killed hears no more of that write, and may write in other lives: with each write that is due
// there meanwhile it dies too, as it hears of none of them.
const together = 500 * time.Millisecond

// lead is one leader, until it was killed or ctx ends.
func (s *succession) lead(ctx context.Context, l *ledger, dir string) error {
	var r *serving.Replica
	var once sync.Once
	started, dead := make(chan struct{}), make(chan struct{})
	l.after = func(c call) {
		if s.deadly(c) {
			once.Do(func() {
				<-started
				time.Sleep(together)
				r.Kill()
				close(dead)
			})
		}
	}
	var err error
	if r, err = l.start(dir, s.flags...); err != nil {
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
	s.mu.Lock()
	s.killed++
	s.mu.Unlock()
	return s.w.vacate(ctx)
}

// deadly is whether whoever made a call is to be killed for it.
func (s *succession) deadly(c call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	life, which := s.written.enter(c)
	if which == "" || s.fell[life] || s.due[life] != which {
		return false
	}
	s.fell[life] = true
	return true
}

// end has nobody lead any more. It says in which lives somebody was killed.
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

// beyond is what somebody wrote in a life, and nobody in another one.
func (s *succession) beyond(life string, written tally, one string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	usual := written.of(one)
	return slices.DeleteFunc(s.written.of(life), func(what string) bool { return slices.Contains(usual, what) })
}
