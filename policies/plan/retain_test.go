package plan

import (
	"slices"
	"testing"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

const theirsReady = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: theirs, namespace: shop}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}, status: {addresses: [{type: IPAddress, value: 10.9.9.9}]}}`

// TestRetainedAtTheirs: what is bound to a waypoint of somebody else's is retained as at one of ours, also where a policy of ours on which
// time could be written down goes meanwhile, and is guarded until its label goes. A need that comes back starts the time again.
func TestRetainedAtTheirs(t *testing.T) {
	const (
		evil  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: zevil, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {namespaces: [evil]}}]}]}}`
		web   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7web, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
		apart = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: none}}}`
	)
	setting := Setting{Mode: Provision, Profile: Profile{Name: "default", RetainFor: time.Hour}}
	guarded := setting
	guarded.Bypass = Guard
	for name, tc := range map[string]struct {
		more    []string
		setting Setting
		want    []Row // within the hour, and then
		later   []Row
	}{
		"a label":                 {setting: setting, want: []Row{Retain}, later: []Row{RemoveBinding}},
		"two labels":              {more: []string{web, apart}, setting: setting, want: []Row{Retain, Retain}, later: []Row{RemoveBinding, RemoveBinding}},
		"with a guard":            {setting: guarded, want: []Row{Retain}, later: []Row{RemoveGuard, RemoveGuard, RemoveBinding}},
		"with a guard and a twin": {more: []string{evil}, setting: guarded, want: []Row{Retain}, later: []Row{RemoveGuard, RemoveGuard, RemoveBinding, Drain, RemoveTwin}},
		"without a guard, a twin": {more: []string{evil}, setting: setting, want: []Row{Retain}, later: []Row{RemoveBinding, Drain, RemoveTwin}},
	} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: map[string]Setting{"shop": tc.setting}}
			made, managed, _ := rest(t, two(append(tc.more, podsOf("cart"), podsOf("web"), theirsReady)...).Snapshot, Managed{}, settings, func(*mesh.Snapshot, *Evidence) {}, func(*mesh.Snapshot, Step) {})
			unneeded := made
			for _, o := range made.List(mesh.AuthorizationPolicy, "shop") {
				if !managed.Made(o) && o.Name != "zevil" {
					unneeded = unneeded.Without(o)
				}
			}
			rows, noted, owned := until(unneeded, managed, settings, noon, noon.Add(59*time.Minute))
			if !slices.Equal(rows, tc.want) {
				t.Fatalf("within the hour: %v", rows)
			}
			if rows, _, left := until(noted, owned, settings, noon.Add(time.Hour), noon.Add(90*time.Minute)); !slices.Equal(rows, tc.later) || len(left) > 0 {
				t.Errorf("after the hour: %v, left %v", rows, left)
			}

			needed := noted
			for _, o := range made.List(mesh.AuthorizationPolicy, "shop") {
				needed = needed.With(o)
			}
			rows, needed, owned = until(needed, owned, settings, noon.Add(time.Hour), noon.Add(65*time.Minute))
			if want := slices.Repeat([]Row{Keep}, len(tc.want)); !slices.Equal(rows, want) {
				t.Errorf("needed again: %v", rows)
			}
			for _, o := range made.List(mesh.AuthorizationPolicy, "shop") {
				if !managed.Made(o) && o.Name != "zevil" {
					needed = needed.Without(o)
				}
			}
			if rows, _, _ = until(needed, owned, settings, noon.Add(2*time.Hour), noon.Add(2*time.Hour+5*time.Minute)); !slices.Equal(rows, tc.want) {
				t.Errorf("not needed again: %v", rows)
			}
		})
	}
}

// TestKeptLabelIsTold: where an object keeps our label, nothing of what is bound to the waypoint with it is taken away, and it is said; when
// the label is gone, so is all else.
func TestKeptLabelIsTold(t *testing.T) {
	leave := func(s *mesh.Snapshot, settings Settings) (*mesh.Snapshot, Settings) {
		settings.Namespaces["shop"] = Setting{Mode: Observe}
		return s, settings
	}
	deleted := func(s *mesh.Snapshot, settings Settings) (*mesh.Snapshot, Settings) {
		goes := *s.Get(mesh.Namespace, "", "shop")
		goes.Terminating = true
		return s.With(&goes), settings
	}
	for name, tc := range map[string]struct {
		change func(*mesh.Snapshot, Settings) (*mesh.Snapshot, Settings)
		rows   []Row
		says   string
	}{
		"its namespace is no longer provided for": {leave, []Row{Retain},
			"edge/waypoint: stopped remove-binding: Namespace shop keeps its label: nothing needs waypoint waypoint, and no Guardrail with mode Provision selects namespace shop any more. Remove the label, or select the namespace."},
		"it is being deleted": {deleted, []Row{Retain, RemoveGuard, RemoveGuard, RemoveGuard, RemoveGuard, RemoveBinding},
			"edge/waypoint: waits remove-binding: it is being deleted, and its label with it"},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed, settings := sharing(t)
			s, settings = tc.change(s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7")).Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7")), settings)
			rows, s, managed := until(s, managed, settings, noon, noon.Add(20*time.Minute))
			if !slices.Equal(rows, tc.rows) {
				t.Errorf("taken: %v", rows)
			}
			compare(t, Next(worldOf(s, managed, settings, nil)), tc.says)
			s = s.With(labelled(s.Get(mesh.Namespace, "", "shop"), nil, label.IoIstioUseWaypoint.Name, label.IoIstioUseWaypointNamespace.Name))
			if _, s, _ = until(s, managed, settings, noon.Add(20*time.Minute), noon.Add(time.Hour)); s.Get(mesh.Gateway, "edge", "waypoint") != nil {
				t.Error("the waypoint stays")
			}
		})
	}
}

// until takes all steps between two times, a minute from one to the next.
func until(s *mesh.Snapshot, managed Managed, settings Settings, now, end time.Time) ([]Row, *mesh.Snapshot, Managed) {
	var rows []Row
	for ; now.Before(end); now = now.Add(time.Minute) {
		if steps := Next(later(worldOf(s, managed, settings, func(e *Evidence) { e.Acknowledged = now }), now)).Steps(); len(steps) > 0 {
			rows = append(rows, steps[0].Row)
			s, managed = taken(s, managed, steps[0])
		}
	}
	return rows, s, managed
}
