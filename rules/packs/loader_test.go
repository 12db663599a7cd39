package packs

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// TestNext: rules that take long to compile hold up those of no other pack, and nothing is called known before everything was tried.
// What could not be loaded is tried again at once where it is kept anew, else after a while.
func TestNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := map[bool]int{}
		l := NewLoader(LoaderOptions{Observe: func(loaded bool) { heard[loaded]++ }})
		letGo := make(chan struct{})
		l.beside.do(t.Context(), "slow", "its compiler", stuck(letGo)) // as a compiler that is still at it
		var all []v1alpha1.RulePack
		var revisions []*appsv1.ControllerRevision
		for _, name := range []string{"slow", "acme", "forged", "gone"} {
			p := acme()
			p.Name, p.UID = name, types.UID(name)
			w := of(rule(denies))
			c := held(t, p, w, 1)
			c.UID = types.UID(name + "-1")
			if name == "forged" {
				c.Data.Raw = replaced(t, c.Data.Raw, rule(strings.Replace(denies, "DENY", "AUDIT", 1)))
			}
			if name != "gone" {
				revisions = append(revisions, c)
			}
			p.Status.Revision = w.revision
			all = append(all, *p)
		}
		ask := func(wantNames string, wantWaits bool, words ...string) {
			t.Helper()
			synctest.Wait()
			next, waits, err := l.next(context.WithoutCancel(t.Context()), all, revisions)
			names := ""
			for _, is := range next {
				names += is.Name + " "
			}
			if names != wantNames || waits != wantWaits || (err == nil) != (len(words) == 0) {
				t.Errorf("%q, waits %v, %v; want %q, %v", names, waits, err, wantNames, wantWaits)
			}
			for _, text := range words {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v, want … %s …", err, text)
				}
			}
		}
		const gone, forged = "of RulePack gone: it is not kept any more", "of RulePack forged: ControllerRevision waywarden/"
		ask("", true, gone)
		for range 3 {
			ask("acme ", true, gone, forged)
		}
		close(letGo)
		ask("acme ", true, gone, forged) // the slow one begins
		ask("slow acme ", false, gone, forged)
		l.current.Store(&set{})
		ask("slow acme ", false, gone, forged)
		if heard[true] != 2 || heard[false] != 1 {
			t.Errorf("heard of %v: that one is not kept may be over in a moment", heard)
		}
		time.Sleep(retry)
		ask("slow acme ", true, gone) // the forged one is tried again
		if heard[false] != 2 {
			t.Errorf("heard of %v: one is not kept", heard)
		}
		ask("slow acme ", false, gone, forged)
		anew := *revisions[2]
		anew.UID, anew.Data.Raw = "forged-2", revisions[1].Data.Raw
		anew.Data.Raw = []byte(strings.Replace(string(anew.Data.Raw), `"pack":"acme"`, `"pack":"forged"`, 1))
		revisions[2] = &anew
		ask("slow acme ", true, gone)
		ask("slow acme forged ", false, gone)
		all = all[1:2]
		ask("acme ", false)
		if len(l.have) != 1 || len(l.failed) != 0 {
			t.Errorf("of packs that are deleted is known %v, %v", l.have, l.failed)
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
