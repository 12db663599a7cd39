package waypoints

import (
	"fmt"
	"strings"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestMet: a profile says of which policies no waypoint is made, why and what to do, and that there are none once that is decided.
func TestMet(t *testing.T) {
	need := func(i int, why string) plan.Blocked {
		return plan.Blocked{Need: plan.Need{Target: policies.Target{Kind: "Service", Namespace: "shop", Name: "cart"}, Policy: mesh.Ref{Kind: "AuthorizationPolicy", Namespace: "shop", Name: fmt.Sprintf("p%d", i)}}, Why: why}
	}
	p := &v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: "default", Generation: 3}}
	expect := func(status metav1.ConditionStatus, count int, says ...string) {
		t.Helper()
		c := apimeta.FindStatusCondition(p.Status.Conditions, MetCondition)
		if c.Status != status || c.ObservedGeneration != 3 || len(c.Message) > maxMessage+len("…") || p.Status.Blocked != int32(count) || len(p.Status.Undecided) != min(count, maxNeeded) {
			t.Errorf("%+v, %d blocked, %d listed", c, p.Status.Blocked, len(p.Status.Undecided))
		}
		for _, word := range says {
			if !strings.Contains(c.Message, word) {
				t.Errorf("%q does not say %q", c.Message, word)
			}
		}
	}
	met(p, nil)
	expect(metav1.ConditionTrue, 0)
	met(p, []plan.Blocked{need(0, "nobody can run it. Correct the name.")})
	expect(metav1.ConditionFalse, 1, "AuthorizationPolicy shop/p0 waits for a decision: no waypoint is made for Service shop/cart: nobody can run it. Correct the name.")
	if u := p.Status.Undecided[0]; u.Policy != "AuthorizationPolicy shop/p0" || u.Target != "Service shop/cart" || u.Message != "nobody can run it. Correct the name." {
		t.Errorf("listed: %+v", u)
	}
	var many []plan.Blocked
	for i := range 150 {
		many = append(many, need(i, strings.Repeat("a long reason ", 1000)))
	}
	met(p, many)
	expect(metav1.ConditionFalse, 150, "149 more; see undecided.")
	if n := len(p.Status.Undecided[0].Message); n > maxUndecided+len("…") {
		t.Errorf("%d bytes are listed", n)
	}
	met(p, nil)
	expect(metav1.ConditionTrue, 0)
}

// TestBlockedIsFound: what is blocked is found beside what has stopped, and no longer when it is decided, whatever is refused meanwhile.
func TestBlockedIsFound(t *testing.T) {
	var c Controller
	blocked := []policies.Finding{{Check: plan.BlockedCheck, Severity: policies.Medium, Object: thing}}
	refused := plan.Progress{{Stopped: []plan.Stop{{Why: "refused", Object: plan.RefOf(mesh.Gateway, "shop", "waypoint")}}}}
	for i, look := range []struct {
		blocked []policies.Finding
		found   int
	}{{nil, 1}, {blocked, 2}, {blocked, 2}, {nil, 1}} {
		c.stopped.Store(c.stopped.Load().with(refused, func(mesh.Ref) bool { return true }).beside(look.blocked))
		if found, _ := c.Findings(); len(found) != look.found {
			t.Errorf("look %d: found %+v", i, found)
		}
	}
}
