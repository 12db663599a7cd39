package waypoints

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Scrape reads what the proxy of a pod counts, by the pod's address, as Prometheus would. The caller closes what it returns.
type Scrape func(ctx context.Context, podIP string) (io.ReadCloser, error)

const (
	readEvery    = 10 * time.Second // after the reading before is complete
	readSoon     = time.Second      // the same, where somebody waits for what was not in that one
	readTimeout  = 30 * time.Second // of all proxies together
	proxyTimeout = 5 * time.Second  // of one
	readAtOnce   = 32
)

// noAddress stands for the address of a pod that has none yet.
const noAddress = "?"

// reader reads what proxies count, in a goroutine and at a pace of its own: proxies that do not answer hold up nobody who makes
// waypoints. It reads only while that is asked for.
type reader struct {
	scrape Scrape
	clock  clock.WithTicker
	wake   func() // called when there is a new reading
	each   time.Duration

	begin chan struct{} // something is asked for
	soon  chan struct{} // it was not in the last reading
	mu    sync.Mutex
	asked *asked
	last  *reading
}

// asked is what to read, and up to when all was acknowledged as far as was known when it was asked for. It is immutable.
type asked struct {
	ztunnels, pods []string // addresses
	acknowledged   time.Time
	since          time.Time // what was acknowledged before that proves nothing to somebody who waits
}

// beyond is whether a reading does not say what is asked for, and another one would.
func (a *asked) beyond(last *reading) bool {
	return last == nil || a.acknowledged.After(a.since) && !last.acknowledged.After(a.since) ||
		slices.ContainsFunc(a.pods, func(ip string) bool { _, read := last.active[ip]; return !read })
}

// reading is what the proxies counted at one time. It is immutable, and complete: each proxy has answered, or is said not to have.
type reading struct {
	began        time.Time
	acknowledged time.Time                 // as it was asked for before it began
	flows        map[string]map[flow]tally // by the address of a ztunnel that answered
	unread       string                    // why not every ztunnel was read; "" where it was
	active       map[string]active         // by the address of a waypoint's pod
}

// active is how many connections a waypoint's pod has open, or why that is not known, as a clause.
type active struct {
	connections int
	unknown     string
	silent      bool // it has not answered, which it may do the next time
}

func newReader(scrape Scrape, c clock.WithTicker, wake func()) *reader {
	return &reader{scrape: scrape, clock: c, wake: wake, each: proxyTimeout, begin: make(chan struct{}, 1), soon: make(chan struct{}, 1)}
}

// ask has something read from now on, nothing where it is nil. It returns the newest reading, nil where there is none yet, and never
// waits for one.
func (r *reader) ask(what *asked) *reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = what
	if what == nil {
		r.last = nil
		return nil
	}
	if what.beyond(r.last) {
		signal(r.soon)
	}
	signal(r.begin) // last: whoever begins has seen the other
	return r.last
}

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// run reads what is asked for until ctx ends.
func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-r.begin:
		}
		select {
		case <-r.soon: // this is it
		default:
		}
		if !r.once(ctx) {
			continue
		}
		rested, least := r.clock.After(readEvery), r.clock.After(readSoon)
		r.wake()
		select {
		case <-ctx.Done():
		case <-least:
		}
		select {
		case <-ctx.Done():
		case <-rested:
		case <-r.soon:
			signal(r.begin)
		}
	}
}

// once reads what is asked for now. It is false where nothing is, or was any more when it was read.
func (r *reader) once(ctx context.Context) bool {
	r.mu.Lock()
	what := r.asked
	r.mu.Unlock()
	if what == nil {
		return false
	}
	read := r.read(ctx, what)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil || ctx.Err() != nil {
		return false
	}
	r.last = read
	return true
}

// read asks all proxies, some at a time.
func (r *reader) read(ctx context.Context, what *asked) *reading {
	out := &reading{began: r.clock.Now(), acknowledged: what.acknowledged, flows: map[string]map[flow]tally{}, active: map[string]active{}}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var (
		mu    sync.Mutex
		errs  []error
		group sync.WaitGroup
		slots = make(chan struct{}, readAtOnce)
	)
	each := func(addresses []string, enter func(ip string, samples []sample, err error)) {
		for _, ip := range addresses {
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				samples, err := r.one(ctx, ip)
				mu.Lock()
				defer mu.Unlock()
				enter(ip, samples, err)
			})
		}
	}
	// The pods of waypoints come first: where they say how many connections are open, nobody else is needed for that.
	each(what.pods, func(ip string, samples []sample, err error) { out.active[ip] = activeIn(ip, samples, err) })
	each(what.ztunnels, func(ip string, samples []sample, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("the ztunnel at %s was not read: %w", ip, err))
			return
		}
		out.flows[ip] = flowsOf(samples)
	})
	group.Wait()
	if len(what.ztunnels) == 0 { // what nobody counts is not nothing
		out.unread = "no ztunnel is seen"
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
		out.unread = errs[0].Error()
		if more := len(errs) - 1; more > 0 {
			out.unread += fmt.Sprintf(", and %d more", more)
		}
	}
	return out
}

func activeIn(ip string, samples []sample, err error) active {
	if err != nil {
		return active{unknown: fmt.Sprintf("its pod at %s was not read: %v", ip, err), silent: true}
	}
	n, ok := activeAt(samples)
	if !ok {
		return active{unknown: "its pods do not write " + activeMetric}
	}
	return active{connections: n}
}

func (r *reader) one(ctx context.Context, ip string) ([]sample, error) {
	if ip == noAddress {
		return nil, errors.New("it has no address")
	}
	ctx, cancel := context.WithTimeout(ctx, r.each)
	defer cancel()
	in, err := r.scrape(ctx, ip)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return readSamples(in)
}
