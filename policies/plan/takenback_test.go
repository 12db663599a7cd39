package plan

import (
	"maps"
	"strings"
	"testing"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestTakenBack: of a write that is undone on the way it is said what is another way than it was written, and that it is not known by whom; it is
// tried again where it is time to.
func TestTakenBack(t *testing.T) {
	s, managed := done(t)
	gw, ns := s.Get(mesh.Gateway, "shop", "waypoint"), s.Get(mesh.Namespace, "", "shop")
	theirs := labelled(gw, map[string]string{label.IoIstioWaypointFor.Name: "all"})
	unbound := annotated(labelled(ns, nil, label.IoIstioUseWaypoint.Name), ProfileAnnotation, "default")
	for name, tc := range map[string]struct {
		stored *mesh.Object
		row    Row
		says   string
	}{
		"a Gateway":          {theirs, MakeGateway, `Gateway shop/waypoint is not as it was written: metadata.labels[istio.io/waypoint-for] is "all" and not "service". An admission webhook changes it on the way, which the API server does not name`},
		"a label of a chart": {unbound, MakeBinding, `Namespace shop is not as it was written: metadata.labels[istio.io/use-waypoint] is not there, and is to be "waypoint". An admission webhook`},
	} {
		t.Run(name, func(t *testing.T) {
			changed, managed := s.With(tc.stored), maps.Clone(managed)
			if tc.stored == unbound {
				delete(managed, refOf(ns))
			}
			if p := Next(worldOf(changed, managed, onlyShop, nil)); len(p.Steps()) != 1 || p.Steps()[0].Row != tc.row || p.Steps()[0].Differs == "" {
				t.Fatalf("it is not written: %q", says(p))
			}
			for _, again := range []bool{false, true} {
				p := Next(worldOf(changed, managed, onlyShop, func(e *Evidence) {
					ref := refOf(tc.stored)
					e.Refused, e.TakenBack, e.Again = map[mesh.Ref]string{ref: ""}, map[mesh.Ref]bool{ref: true}, map[mesh.Ref]bool{ref: again}
				}))
				if len(p) != 1 || len(p[0].Stopped) != 1 || !strings.HasPrefix(p[0].Stopped[0].Why, tc.says) || p[0].Stopped[0].Manifest != nil || (p[0].Step != nil) != again {
					t.Errorf("again %v: %q", again, says(p))
				}
			}
		})
	}
}

// TestDiffers: the first difference in order is said, shortly, and none exactly where everything is as it is to be.
func TestDiffers(t *testing.T) {
	type object = map[string]any
	for name, tc := range map[string]struct {
		want, have any
		says       string
	}{
		"alike, and more":     {object{"a": "1"}, object{"a": "1", "b": "2"}, ""},
		"nothing":             {object{}, nil, ""},
		"a value":             {object{"spec": object{"a": "1", "b": "2"}}, object{"spec": object{"a": "1", "b": "3"}}, `spec.b is "3" and not "2"`},
		"a number":            {object{"spec": object{"port": int64(80)}}, object{"spec": object{"port": float64(81)}}, `spec.port is 81 and not 80`},
		"one that is missing": {object{"spec": object{"a": "1"}}, object{"spec": object{}}, `spec.a is not there, and is to be "1"`},
		"all of it":           {object{"spec": object{"a": "1"}}, object{}, `spec is not there, and is to be {"a":"1"}`},
		"in a list":           {object{"l": []any{object{"n": "a"}, object{"n": "b"}}}, object{"l": []any{object{"n": "a"}, object{"n": "c"}}}, `l[1].n is "c" and not "b"`},
		"a longer list":       {object{"l": []any{"a"}}, object{"l": []any{"a", "b"}}, `l is ["a","b"] and not ["a"]`},
		"a label":             {object{"labels": object{"a.b/c": "1"}}, object{"labels": object{}}, `labels[a.b/c] is not there, and is to be "1"`},
		"much":                {object{"a": strings.Repeat("x", 1000)}, object{"a": "1"}, `a is "1" and not "` + strings.Repeat("x", maxDiffers-1) + "…"},
	} {
		if got := differs(tc.want, tc.have, ""); got != tc.says || (got == "") != within(tc.want, tc.have) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
