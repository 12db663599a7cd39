package packs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// stuck is work that nothing stops before it is let go.
func stuck(letGo <-chan struct{}) func(context.Context, func()) outcome {
	return func(_ context.Context, ended func()) outcome {
		go func() {
			<-letGo
			ended()
		}()
		return outcome{err: errors.New("the time was over")}
	}
}

func quick(_ context.Context, ended func()) outcome {
	ended()
	return outcome{preview: &v1alpha1.RulePackPreview{Adds: 1}}
}

// TestBeside: work that cannot be stopped holds up its own pack, and no other; and never is more done of a pack than one thing.
func TestBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeside(func() {})
		letGo := make(chan struct{})
		b.do(t.Context(), "slow", "judge 1", stuck(letGo))
		b.do(t.Context(), "acme", "judge 1", quick)
		synctest.Wait()
		if out, done := b.do(t.Context(), "slow", "judge 1", stuck(letGo)); !done || out.err == nil {
			t.Errorf("the slow one: %v, %v", done, out.err)
		}
		if out, done := b.do(t.Context(), "acme", "judge 1", quick); !done || out.preview == nil {
			t.Errorf("another one: %v", done)
		}
		for range 3 { // the slow one wants more
			if _, done := b.do(t.Context(), "slow", "judge 2", quick); done {
				t.Error("two things at once")
			}
			synctest.Wait()
		}
		if n := len(b.slots); n != 1 {
			t.Errorf("%d are at work", n)
		}
		close(letGo)
		synctest.Wait()
		b.do(t.Context(), "slow", "judge 2", quick)
		synctest.Wait()
		if _, done := b.do(t.Context(), "slow", "judge 2", quick); !done {
			t.Error("it does not begin when the other has ended")
		}
	})
}

// TestBesideGivenUp: what is wanted no more, and then again, begins again; and what waits for a place takes none once it is given up.
func TestBesideGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeside(func() {})
		letGo := make(chan struct{})
		b.do(t.Context(), "one", "judge 1", stuck(letGo))
		b.do(t.Context(), "two", "judge 1", stuck(letGo))
		synctest.Wait()
		b.do(t.Context(), "acme", "judge 1", quick) // waits
		synctest.Wait()
		b.do(t.Context(), "acme", "judge 2", quick)
		synctest.Wait()
		b.do(t.Context(), "acme", "judge 1", quick)
		close(letGo)
		synctest.Wait()
		if _, done := b.do(t.Context(), "acme", "judge 1", quick); !done {
			t.Error("what was wanted again is not done")
		}
		b.keep(func(string) bool { return false })
		if len(b.of) > 0 || len(b.slots) > 0 {
			t.Errorf("of packs that are gone is left %v, and %d are at work", b.of, len(b.slots))
		}
	})
}

// asked is a pack that is tested as the Keeper does it.
func asked(k *Keeper, name string, f Files) (*one, *wanted) {
	p := acme()
	p.Name = name
	w := of(f)
	w.revision, _ = f.revision()
	return &one{Keeper: k, pack: p, was: p.Status.DeepCopy()}, w
}

// TestTestedBeside: while one pack takes long to compile, another is judged, and nothing is said against either.
func TestTestedBeside(t *testing.T) {
	k := NewKeeper(KeeperOptions{})
	long, w := asked(k, "long", slow())
	var waits *pending
	if _, err := long.tested(t.Context(), w, false); !errors.As(err, &waits) || waits.Reason != v1alpha1.ReasonJudging || !strings.Contains(waits.Message, w.revision) {
		t.Fatalf("%v", err)
	}
	short, other := asked(k, "short", rule(denies))
	for ended := time.Now().Add(time.Minute); ; {
		pack, err := short.tested(t.Context(), other, false)
		if err == nil && len(pack.Rules) == 1 {
			break
		}
		if !errors.As(err, &waits) || time.Now().After(ended) {
			t.Fatalf("the other one: %v", err)
		}
		<-k.poke
	}
	for ended := time.Now().Add(time.Minute); ; {
		pack, err := long.tested(t.Context(), w, false)
		if err == nil && len(pack.Rules) == 1 {
			break
		}
		if !errors.As(err, &waits) || time.Now().After(ended) {
			t.Fatalf("the long one: %v", err)
		}
		<-k.poke
	}
}

// TestTestedAgain: what was too slow is judged again after a while, and meanwhile what was said of it stands.
func TestTestedAgain(t *testing.T) {
	k := NewKeeper(KeeperOptions{})
	o, w := asked(k, "acme", rule(denies))
	slow := refused(v1alpha1.ReasonTooSlow, wholePack, "the time was over.")
	k.judged["acme"] = judgement{revision: w.revision, err: slow, at: time.Now()}
	if _, err := o.tested(t.Context(), w, false); err != error(slow) || len(k.beside.of) > 0 {
		t.Errorf("at once: %v", err)
	}
	k.judged["acme"] = judgement{revision: w.revision, err: slow, at: time.Now().Add(-2 * slowAgain)}
	for ended := time.Now().Add(time.Minute); ; {
		pack, err := o.tested(t.Context(), w, false)
		if err == nil && len(pack.Rules) == 1 {
			return
		}
		if err != error(slow) || time.Now().After(ended) {
			t.Fatalf("%v", err)
		}
		<-k.poke
	}
}

// TestPreviewedFirst: what a revision changes stands in the status before it is in force, for a while where nobody was shown it.
func TestPreviewedFirst(t *testing.T) {
	for name, shown := range map[string]bool{"shown to who applied it": true, "not shown": false} {
		t.Run(name, func(t *testing.T) {
			after := compiled(t, `input.object.spec.action == "DENY"`)
			s := stock(t, 3)
			synctest.Test(t, func(t *testing.T) {
				known := Stored{}
				k := NewKeeper(KeeperOptions{InForce: func(string) *InForce { return nil }, Stored: func() Stored { return known }})
				o := &one{Keeper: k, pack: acme()}
				w := &wanted{revision: after.Revision, shown: shown}
				waits := func(reason, words string) {
					t.Helper()
					var p *pending
					if err := o.previewed(t.Context(), w, after.pack); !errors.As(err, &p) || p.Reason != reason || !strings.Contains(p.Message, words) {
						t.Errorf("%v, want %s: %s", err, reason, words)
					}
				}
				waits(v1alpha1.ReasonPreviewing, "the mesh is still being read")
				known = s
				waits(v1alpha1.ReasonPreviewing, "is being judged by revision "+w.revision)
				synctest.Wait()
				waits(v1alpha1.ReasonActivating, "in force, this adds 3 findings and removes 0 among 6 stored objects")
				if p := o.pack.Status.Preview; p == nil || p.Adds != 3 || p.Revision != w.revision {
					t.Fatalf("the status says %+v", p)
				}
				if !shown {
					waits(v1alpha1.ReasonActivating, " comes into force at ")
					<-k.poke // that it is previewed
					<-k.poke // the Keeper has itself woken
				}
				if err := o.previewed(t.Context(), w, after.pack); err != nil {
					t.Errorf("when it was shown: %v", err)
				}
			})
		})
	}
}
