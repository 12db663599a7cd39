package webhook

import (
	"context"
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// maxReason is how much of a reason is kept: it goes into the log, the audit log and an Event, and an annotation may hold
// 256 KiB.
const maxReason = 500

// askToBreakGlass admits what would be denied, if the object asks for it and the requester may: that is a right, granted
// as the verb break-glass on guardrails.waywarden.dev, and not a trick.
func (a *Admission) askToBreakGlass(ctx context.Context, c *change, before *mesh.Snapshot, v *verdict) {
	reason, asks := c.object().Annotations[policies.BreakGlassAnnotation]
	if !asks {
		return
	}
	if reason = whole(oneLine(reason), maxReason); reason == "" {
		v.notes = append(v.notes, fmt.Sprintf("annotation %s does nothing: it gives no reason. Write why.", policies.BreakGlassAnnotation))
		return
	}
	may, err := a.MayBreakGlass(ctx, c.UserInfo)
	switch {
	case err != nil:
		a.Log.Error(err, "the API server could not be asked who may break the glass", "user", c.UserInfo.Username)
		v.notes = append(v.notes, fmt.Sprintf("annotation %s does nothing: the API server did not say whether you may. Try again.", policies.BreakGlassAnnotation))
		return
	case !may:
		v.notes = append(v.notes, fmt.Sprintf("annotation %s does nothing: you may not. It takes the verb break-glass on guardrails.waywarden.dev.", policies.BreakGlassAnnotation))
		return
	}
	after := before
	if c.new != nil {
		after = before.With(c.new)
	}
	v.decision = a.rule(c, asStored(before, c.old), after, v.findings, decide.Request{BreakGlass: true, Reason: reason})
}
