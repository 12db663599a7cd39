package waypoints

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// fence keeps a leader from writing that has been stopped, as by a signal, a debugger or a machine that was suspended. Its lease has
// run out meanwhile and another one leads, and its own election takes a moment to notice. What it has in hand was decided of a mesh
// that is gone: a resourceVersion refuses some of that, but not the making of something that is not there.
type fence struct {
	mu    sync.Mutex
	last  time.Time // when it was seen to run
	until time.Time // when it may write again
}

const (
	pulse  = time.Second      // how often it is seen to run
	asleep = 4 * time.Second  // after how long without that it has been stopped: less than a lease has left when it was renewed last
	doubt  = 20 * time.Second // how long its election may take to find that its lease is another one's, and some more
)

// shut is until when nothing may be written; zero if that may be. It has to be asked right before each write: whoever is the first to
// run after a stop finds out.
func (f *fence) shut(now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.last.IsZero() && slept(f.last, now) > asleep {
		f.until = now.Add(doubt)
	}
	f.last = now
	if now.Before(f.until) {
		return f.until
	}
	return time.Time{}
}

// fenced is why nothing may be written right now; nil if it may be. It is asked as shut is.
func (c *Controller) fenced() error {
	if until := c.fence.shut(c.Clock.Now()); !until.IsZero() {
		return fmt.Errorf("nothing is written until %s: this replica has stood still, and another one may lead", until.UTC().Format(time.RFC3339))
	}
	return nil
}

// slept is the time between two moments by the clock that stands still while a machine is suspended, or by the other one.
func slept(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// beat looks at the clock until ctx ends.
func (c *Controller) beat(ctx context.Context) {
	ticker := c.Clock.NewTicker(pulse)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			c.fence.shut(c.Clock.Now())
		}
	}
}
