package waypoints

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestJournal: when an object is known to every proxy, by when it was seen to change.
func TestJournal(t *testing.T) {
	a, b, c := namespace(t, "a", "prod"), namespace(t, "b", "prod"), namespace(t, "c", "dev")
	ref := func(name string) mesh.Ref { return plan.RefOf(mesh.Namespace, "", name) }
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	var j journal
	first := mesh.New(mesh.Options{}, a, b)
	second := first.With(namespace(t, "b", "test")).With(c)
	third := second.Without(a)
	j.enter(first, at(0))
	j.enter(second, at(10))
	j.enter(second, at(20))
	j.enter(third, at(30))
	for _, k := range []struct {
		name         string
		acknowledged int
		want         bool
	}{
		{"a", 29, false}, {"a", 31, true}, // deleted
		{"b", 9, false}, {"b", 11, true}, // changed
		{"c", 9, false}, {"c", 11, true}, // made
		{"d", 0, false}, {"d", 1, true}, // as it was when somebody first looked
	} {
		known := plan.Convergence{Acknowledged: at(k.acknowledged), Written: j.written, Since: j.since}
		if got := known.Converged(ref(k.name)); got != k.want {
			t.Errorf("%s, acknowledged up to %ds: %v", k.name, k.acknowledged, got)
		}
	}
	j.forget(at(15).Add(remembered))
	if _, kept := j.written[ref("b")]; kept || !j.since.Equal(at(15)) || len(j.written) != 1 {
		t.Errorf("remembered since %s: %v", j.since, j.written)
	}
}

// TestJournalOfGateways: a Gateway is entered when what proxies are sent of it changes, and not when we have written down how it is, or
// since when nothing needs it: whoever waits for the proxies would begin to wait anew by saying so.
func TestJournalOfGateways(t *testing.T) {
	const (
		gateway = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: w, namespace: shop, uid: UID, labels: {LABELS}, annotations: {ANNOTATIONS}}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: PORT, protocol: HBONE}]}STATUS}`
		istiods = `{type: Programmed, status: "True", reason: Programmed, message: m, observedGeneration: 1}`
		ours    = `{type: waywarden.dev/AsPlanned, status: "False", reason: Waiting, message: m, observedGeneration: 1}`
	)
	status := func(conditions, address string) string {
		return ", status: {addresses: [{type: Hostname, value: " + address + "}], conditions: [" + conditions + "]}"
	}
	made := func(changes ...string) *mesh.Object {
		of := strings.NewReplacer(append(slices.Clone(changes), "UID", "a", "PORT", "15008", "LABELS", "", "ANNOTATIONS", "", "STATUS", status(istiods, "a"))...)
		return objects(t, of.Replace(gateway))[0]
	}
	for _, tc := range []struct {
		name    string
		is      *mesh.Object // nil where it is deleted
		entered bool
	}{
		{"the same", made(), false},
		{"a condition of ours", made("STATUS", status(istiods+", "+ours, "a")), false},
		{"how many needs, and since when there are none", made("ANNOTATIONS", `waywarden.dev/needs: "1", waywarden.dev/unneeded-since: "2026-01-01T00:00:00Z"`), false},
		{"a condition of istiod's", made("STATUS", status(strings.Replace(istiods, "True", "False", 1), "a")), true},
		{"another address", made("STATUS", status(istiods, "b")), true},
		{"no status", made("STATUS", ""), true},
		{"an annotation of Istio's", made("ANNOTATIONS", "ambient.istio.io/waypoint-inbound-binding: PROXY/15088"), true},
		{"a label", made("LABELS", "istio.io/waypoint-for: all"), true},
		{"the spec", made("PORT", "15009"), true},
		{"made anew", made("UID", "b"), true},
		{"deleted", nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var j journal
			s := mesh.New(mesh.Options{}, made())
			j.enter(s, noon)
			if tc.is != nil {
				s = s.With(tc.is)
			} else {
				s = s.Without(made())
			}
			j.enter(s, noon.Add(time.Minute))
			if _, entered := j.written[plan.RefOf(mesh.Gateway, "shop", "w")]; entered != tc.entered {
				t.Errorf("entered: %v", entered)
			}
		})
	}
	var j journal
	j.enter(mesh.New(mesh.Options{}, made("STATUS", "")), noon)
	j.enter(mesh.New(mesh.Options{}, made("STATUS", ", status: {conditions: ["+ours+"]}")), noon)
	if len(j.written) > 0 {
		t.Error("a Gateway without a status is entered when it gets a condition of ours")
	}
}

// TestNobodyLookedYet: before anything was entered nothing is known to anybody, whatever the clock says.
func TestNobodyLookedYet(t *testing.T) {
	k := convergence{settle: time.Second}
	k.look(t.Context(), nil, noon)
	var j journal
	j.enter(mesh.New(mesh.Options{}), noon)
	known := plan.Convergence{Acknowledged: k.at, Written: j.written, Since: j.since}
	if known.Converged(thing) {
		t.Error("what a new leader finds is taken to be known to every proxy at once")
	}
}
