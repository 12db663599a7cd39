package waypoints

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// outlive looks as once does, and outlives a panic: ok is false then. What was about to be done is left, and it is said in the log, in
// the statuses of the profiles and to Report. A leader that stood still and went on renewing its lease, or one replica after another
// that died of the same object and took admission along, would be worse.
func (c *Controller) outlive(ctx context.Context) (next time.Time, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			c.Log.Error(fmt.Errorf("panic: %v", p), "no waypoint is made, changed or taken away for now, which is a mistake in waywarden", "again", patience.String(), "stack", string(debug.Stack()))
			next, ok = c.Clock.Now().Add(patience), false
			c.sayBroken(ctx, p)
		}
	}()
	return c.once(ctx), true
}

// sayBroken tells people. What it reads may be what broke it.
func (c *Controller) sayBroken(ctx context.Context, panicked any) {
	defer func() { _ = recover() }()
	if c.Report != nil {
		c.Report(Census{Broken: true})
	}
	rules, err := c.follower.rules(ctx)
	if err != nil {
		return
	}
	why := cut(fmt.Sprintf("No waypoint is made, changed or taken away, which is a mistake in waywarden: %v. Report it, with the stack in the leader's log.", panicked))
	for _, p := range rules.Profiles {
		if err := c.patch(ctx, p, notReady(p, "Broken", why)); err != nil {
			c.Log.Error(err, "a profile does not say that no waypoint is made")
		}
	}
}
