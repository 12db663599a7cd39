package packs

import (
	"context"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
)

// pending is that something is not known or done yet, by a reason of conditions. It is no refusal, and soon over.
type pending struct{ Reason, Message string }

func (p *pending) Error() string { return p.Message }

// tested is what came of putting what is asked for to the test, which is done beside the Keeper. What is kept was tested before, and
// is only compiled. The error is *pending, or *Refused.
func (o *one) tested(ctx context.Context, w *wanted, before bool) (*rules.Pack, error) {
	j := o.judged[o.pack.Name]
	same := j.revision == w.revision
	if same && !(j.err != nil && j.err.Reason == v1alpha1.ReasonTooSlow && o.Clock.Since(j.at) > slowAgain) {
		return j.pack, j.orRefused()
	}
	out, done := o.beside.do(ctx, o.pack.Name, "judge "+w.revision, func(ctx context.Context, ended func()) outcome {
		return o.judge(ctx, w, before, ended)
	})
	switch {
	case !done && same:
		return nil, j.err // what was said stands until something else is known
	case !done:
		return nil, &pending{v1alpha1.ReasonJudging, "Revision " + w.revision + " is being compiled and tested."}
	case out.err != nil:
		return nil, out.err
	}
	o.judged[o.pack.Name] = out.judged
	return out.judged.pack, out.judged.orRefused()
}

// judge puts a revision to the test, within the time that there is for it.
func (o *one) judge(ctx context.Context, w *wanted, before bool, ended func()) outcome {
	within, cancel := context.WithTimeout(ctx, judgeFor)
	defer cancel()
	began := o.Clock.Now()
	pack, err := judge(within, w.files, before, ended)
	j, err := concluded(pack, err)
	j.revision, j.at = w.revision, began
	if ctx.Err() == nil && err == nil {
		how := "accepted"
		if j.err != nil {
			how = j.err.Reason
		}
		o.Took(Judging, how, o.Clock.Since(began))
	}
	return outcome{judged: j, err: err}
}

// previewed sees to it that the status says what the pack changes among what is stored before it is in force. The error is *pending
// until it has said so, and, where who asks for it was not shown it at once, for a while after.
func (o *one) previewed(ctx context.Context, w *wanted, pack *rules.Pack) error {
	p := o.pack.Status.Preview
	if p != nil && p.Revision == w.revision {
		if until := p.At.Add(shownFor); !w.shown && o.Clock.Now().Before(until) {
			return activating(p, w)
		}
		return nil
	}
	if o.Stored().Snapshot == nil {
		return &pending{v1alpha1.ReasonPreviewing, "What revision " + w.revision + " changes is not known yet: the mesh is still being read."}
	}
	out, done := o.beside.do(ctx, o.pack.Name, "preview "+w.revision, func(ctx context.Context, ended func()) outcome {
		defer ended()
		return outcome{preview: o.preview(ctx, pack)}
	})
	if !done {
		return &pending{v1alpha1.ReasonPreviewing, "What is stored is being judged by revision " + w.revision + "."}
	}
	o.pack.Status.Preview = out.preview
	if !w.shown {
		o.later(ctx, shownFor)
	}
	return activating(out.preview, w)
}

// activating is that a revision is previewed, and when it comes into force.
func activating(p *v1alpha1.RulePackPreview, w *wanted) *pending {
	when := "now"
	if !w.shown {
		when = "at " + p.At.Add(shownFor).UTC().Format("15:04:05 UTC")
	}
	return &pending{v1alpha1.ReasonActivating, "Revision " + w.revision + " comes into force " + when + ": " + told(p)[0]}
}

// later has the Keeper look again after a while.
func (k *Keeper) later(ctx context.Context, d time.Duration) {
	go func() {
		select {
		case <-k.Clock.After(d):
			knock(k.poke)
		case <-ctx.Done():
		}
	}()
}
