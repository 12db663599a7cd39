package packs

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// inStatus is a pack whose status names a revision, which it holds itself, or which is nowhere.
func inStatus(t *testing.T, name string, f Files, held bool) v1alpha1.RulePack {
	t.Helper()
	p := acme()
	p.Name = name
	var err error
	if p.Status.Revision, err = f.revision(); err != nil {
		t.Fatal(err)
	}
	if held {
		p.Spec.Modules = f
	}
	return *p
}

// TestNext: rules that take long to compile hold up those of no other pack, and nothing is called known before everything was tried.
func TestNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLoader(LoaderOptions{})
		letGo := make(chan struct{})
		l.beside.do(t.Context(), "slow", "its compiler", stuck(letGo)) // as a compiler that is still at it
		all := []v1alpha1.RulePack{inStatus(t, "slow", rule(denies), true), inStatus(t, "acme", rule(denies), true), inStatus(t, "gone", rule(denies), false)}
		ask := func() (names string, waits bool, err error) {
			synctest.Wait()
			next, waits, err := l.next(context.WithoutCancel(t.Context()), all, []*appsv1.ControllerRevision{})
			for _, is := range next {
				names += is.Name + " "
			}
			return names, waits, err
		}
		if names, waits, err := ask(); names != "" || !waits || err != nil {
			t.Errorf("at first: %q, %v, %v", names, waits, err)
		}
		for range 3 {
			if names, waits, err := ask(); names != "acme " || !waits || err == nil || !strings.Contains(err.Error(), "not kept any more") {
				t.Errorf("then: %q, %v, %v", names, waits, err)
			}
		}
		close(letGo)
		ask() // it begins
		if names, waits, err := ask(); names != "slow acme " || waits || err == nil {
			t.Errorf("at last: %q, %v, %v", names, waits, err)
		}
		l.current.Store(&set{})
		time.Sleep(retry)
		if _, waits, err := ask(); !waits || err != nil {
			t.Errorf("what failed is not tried again: %v, %v", waits, err)
		}
		all = all[1:2]
		if names, waits, err := ask(); names != "acme " || waits || err != nil || len(l.have) != 1 || len(l.failed) != 0 {
			t.Errorf("when packs are deleted: %q, %v, %v", names, waits, err)
		}
	})
}

// TestTogether: where two packs have rules of one name, and that should not be, those of the older one are asked.
func TestTogether(t *testing.T) {
	older, newer := compiled(t, "input.object.spec"), compiled(t, "input.object.kind")
	older.Name, newer.Name = "zebra", "ant"
	got := NewLoader(LoaderOptions{}).together([]*InForce{older, newer}) // as listed has them
	if len(got.checks) != 1 || got.checks[0] != older.Checks[0] {
		t.Errorf("asked is %d of the newer one", len(got.checks))
	}
	if got.of("ant") != newer || got.of("zebra") != older || got.of("none") != nil {
		t.Error("what is in force is not found by its name")
	}
}
