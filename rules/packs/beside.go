package packs

import (
	"context"
	"maps"
	"sync"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// atOnce is how many packs are judged, previewed or loaded at a time.
const atOnce = 2

// beside does what takes long beside a Keeper or a Loader: of each pack one thing at a time, and of all so many. Rules that take long
// to compile hold up no other pack, unless there are as many packs of such rules as may be judged at a time; and then none is called
// slow for having waited.
type beside struct {
	slots chan struct{}
	ready func() // is called when there is news

	mu sync.Mutex
	of map[string]*work // by pack
}

// work is something that is done of a pack.
type work struct {
	what   string // the step, and the revision
	stop   context.CancelFunc
	done   bool // whether there is an outcome
	ended  bool // whether nothing of it runs any more: OPA's compiler cannot be stopped
	result outcome
}

// outcome is what came of it.
type outcome struct {
	judged  judgement                 // of judging
	err     error                     // one that says nothing of the pack
	preview *v1alpha1.RulePackPreview // of previewing
	inForce *InForce                  // of loading
}

func newBeside(ready func()) *beside {
	return &beside{slots: make(chan struct{}, atOnce), ready: ready, of: map[string]*work{}}
}

// do is what came of a piece of work of a pack; it begins where nobody has yet, and then, or while it goes on, there is none. What is
// begun for something else is given up. do calls its second argument once nothing of it runs any more, which may be after it returns.
func (b *beside) do(ctx context.Context, pack, what string, do func(ctx context.Context, ended func()) outcome) (outcome, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.of[pack]
	if w != nil && w.what != what {
		w.stop()
		w.what = "" // should the same be wanted again, it begins again
		if !w.ended {
			return outcome{}, false // it begins when that has ended
		}
		w = nil
	}
	if w == nil {
		b.begin(ctx, pack, what, do)
		return outcome{}, false
	}
	if !w.done {
		return outcome{}, false
	}
	if w.ended {
		delete(b.of, pack)
	} else {
		w.what = "" // and it is given out once
	}
	return w.result, true
}

func (b *beside) begin(ctx context.Context, pack, what string, do func(ctx context.Context, ended func()) outcome) {
	within, stop := context.WithCancel(ctx)
	w := &work{what: what, stop: stop}
	b.of[pack] = w
	ended := func() {
		b.mu.Lock()
		w.ended = true
		b.mu.Unlock()
		b.ready()
	}
	go func() {
		defer stop()
		select {
		case b.slots <- struct{}{}:
		case <-within.Done():
			ended()
			return
		}
		result := do(within, func() { <-b.slots; ended() })
		b.mu.Lock()
		w.result, w.done = result, within.Err() == nil
		b.mu.Unlock()
		b.ready()
	}()
}

// keep drops what is done of other packs than these.
func (b *beside) keep(these func(pack string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.of, func(name string, w *work) bool {
		if these(name) {
			return false
		}
		w.stop()
		return true
	})
}
