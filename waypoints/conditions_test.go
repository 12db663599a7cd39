package waypoints

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestConditions: what a Gateway says of itself is who needs it and how it is, and is only written where it says something else.
func TestConditions(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	gw := &mesh.Object{Kind: mesh.Gateway, Namespace: "shop", Name: "waypoint", Generation: 3}
	var needs []plan.Need
	for i := range maxBecause + 2 {
		needs = append(needs, plan.Need{Policy: mesh.Ref{Kind: "AuthorizationPolicy", Namespace: "shop", Name: fmt.Sprintf("p%02d", i)}, Target: policies.Target{Kind: "Service", Namespace: "shop", Name: "cart"}})
	}
	short := func(in []metav1.Condition) []string {
		var out []string
		for _, c := range in {
			out = append(out, fmt.Sprint(c.Type, " ", c.Status, " ", c.Reason, " ", c.LastTransitionTime.Sub(at), " ", c.Message))
		}
		return out
	}
	served := dueConditions(nil, conditionsOf(gw, &plan.Course{Needs: needs[:1]}), at)
	waits := plan.Course{Needs: needs[:1], Waiting: []plan.Wait{{Why: "for its pods"}}}
	awaited := waits
	awaited.Awaited = []mesh.Ref{{Kind: "Namespace", Name: "shop"}, {Kind: "Service", Namespace: "pay", Name: "card"}}
	expected := dueConditions(nil, conditionsOf(gw, &awaited), at)
	isNeeded, isWaiting := "waywarden.dev/Needed True Needed 0s AuthorizationPolicy shop/p00 for Service shop/cart", "waywarden.dev/AsPlanned False Waiting 0s for its pods"
	for _, tc := range []struct {
		name   string
		stored []metav1.Condition
		course plan.Course
		want   []string
	}{
		{"first", nil, plan.Course{Needs: needs[:1]}, []string{"waywarden.dev/Needed True Needed 1h0m0s AuthorizationPolicy shop/p00 for Service shop/cart", "waywarden.dev/AsPlanned True Serving 1h0m0s It serves what it is planned for."}},
		{"alike", served, plan.Course{Needs: needs[:1]}, nil},
		{"another state", served, waits, []string{"waywarden.dev/Needed True Needed 0s AuthorizationPolicy shop/p00 for Service shop/cart", "waywarden.dev/AsPlanned False Waiting 1h0m0s for its pods"}},
		{"a step, which is no state", served, plan.Course{Needs: needs[:1], Step: &plan.Step{}}, nil},
		{"a step, and another need", served, plan.Course{Needs: needs[1:2], Step: &plan.Step{}}, []string{"waywarden.dev/Needed True Needed 0s AuthorizationPolicy shop/p01 for Service shop/cart", "waywarden.dev/AsPlanned True Serving 0s It serves what it is planned for."}},
		{"a guard is missing", served, plan.Course{Needs: needs[:1], Unguarded: []plan.Notice{{On: mesh.Ref{Kind: "Service", Namespace: "shop", Name: "cart"}, Why: "a way round it is known."}, {}}}, []string{
			"waywarden.dev/Needed True Needed 0s AuthorizationPolicy shop/p00 for Service shop/cart", "waywarden.dev/AsPlanned False Unguarded 1h0m0s Service shop/cart: a way round it is known. 1 more Services are not guarded."}},
		{"something is shut", served, plan.Course{Needs: needs[:1], Waiting: []plan.Wait{{Why: "for its pods"}}, Shut: []plan.Notice{{On: mesh.Ref{Kind: "Service", Namespace: "shop", Name: "cart"}, Why: "nobody gets in."}}}, []string{
			"waywarden.dev/Needed True Needed 0s AuthorizationPolicy shop/p00 for Service shop/cart", "waywarden.dev/AsPlanned False Waiting 1h0m0s Service shop/cart: nobody gets in. It is so because of this: for its pods"}},
		{"something is to be bound", expected[:2], awaited, []string{isNeeded, isWaiting, "waywarden.dev/Awaited True ToBeBound 1h0m0s Namespace shop, Service pay/card"}},
		{"it is still to be bound", expected, awaited, nil},
		{"it is bound", expected, waits, []string{isNeeded, isWaiting}},
		{"it is bound, and a step is taken", expected, plan.Course{Needs: needs[:1], Step: &plan.Step{}}, []string{isNeeded, isWaiting}},
		{"nobody", served, plan.Course{Removing: true, Waiting: []plan.Wait{{Why: "a while"}}}, []string{"waywarden.dev/Needed False NotNeeded 1h0m0s No policy needs it.", "waywarden.dev/AsPlanned False Removing 1h0m0s a while"}},
		{"more than are named", served, plan.Course{Needs: needs}, []string{"waywarden.dev/Needed True Needed 0s " + named(needs[:maxBecause]) + "; and 2 more", "waywarden.dev/AsPlanned True Serving 0s It serves what it is planned for."}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, short(dueConditions(tc.stored, conditionsOf(gw, &tc.course), at.Add(time.Hour)))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func named(needs []plan.Need) string {
	out := ""
	for i, reason := range because(needs) {
		if i > 0 {
			out += "; "
		}
		out += reason
	}
	return out
}
