package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// worldOf is a mesh in which every proxy knows everything and every Gateway serves, but for what change says.
func worldOf(s *mesh.Snapshot, managed Managed, settings Settings, change func(*Evidence)) World {
	e := Evidence{Managed: managed, Waypoints: map[mesh.Ref]Serving{}, Convergence: Convergence{Acknowledged: noon, Since: noon.Add(-time.Hour)}}
	for gw := range s.All(mesh.Gateway) {
		e.Waypoints[refOf(gw)] = Serving{Ready: true, Counted: true}
	}
	if change != nil {
		change(&e)
	}
	for gw, serving := range e.Waypoints {
		if serving.Acknowledged.IsZero() {
			serving.Acknowledged = e.Acknowledged // counted now
			e.Waypoints[gw] = serving
		}
	}
	view := policies.NewView(s)
	return World{View: view, Settings: settings, Plan: Make(view, settings, e.Managed), Evidence: e, Now: noon}
}

func says(p Progress) []string {
	var out []string
	for _, c := range p {
		name := c.Waypoint.Namespace + "/" + c.Waypoint.Name
		if c.Step != nil {
			out = append(out, fmt.Sprintf("%s: %s %s %s", name, c.Step.Row, c.Step.Action, c.Step.Object))
		}
		for _, w := range c.Waiting {
			out = append(out, fmt.Sprintf("%s: waits %s: %s", name, w.Row, w.Why))
		}
		for _, s := range c.Stopped {
			out = append(out, fmt.Sprintf("%s: stopped %s: %s", name, s.Row, s.Why))
		}
	}
	return out
}

func compare(t *testing.T, p Progress, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, says(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var onlyShop = Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Profile: Profile{Name: "default", RetainFor: time.Hour, Parameters: map[string]string{"deployment": "spec: {}"}}}}}

// done is the mesh of two() with the plan for shop carried out.
func done(t *testing.T, more ...string) (*mesh.Snapshot, Managed) {
	t.Helper()
	s := two(more...).Snapshot
	p := Make(policies.NewView(s), onlyShop, nil)
	p.Waypoints = slices.DeleteFunc(p.Waypoints, func(w Waypoint) bool { return w.Namespace != "shop" })
	p.Labels = slices.DeleteFunc(p.Labels, func(l Label) bool { return home(l.On) != "shop" })
	s, managed := carriedOut(s, p)
	for _, w := range p.Waypoints {
		if w.Existing {
			continue
		}
		o := decode(sealed(w.Parameters))
		s, managed[refOf(o)] = s.With(o), []string{ManagedByLabel}
	}
	return s, managed
}

// TestOnlyWhereProvisioned: of two namespaces that need a waypoint the one gets it that a Guardrail provides for.
func TestOnlyWhereProvisioned(t *testing.T) {
	compare(t, Next(worldOf(two().Snapshot, nil, onlyShop, nil)), "shop/waypoint: make-parameters Apply ConfigMap shop/waypoint-parameters")
	compare(t, Next(worldOf(two().Snapshot, nil, Settings{Default: Setting{Mode: Require}}, nil)))
}

// TestServes: a plan that is carried out leaves nothing to do.
func TestServes(t *testing.T) {
	s, managed := done(t)
	p := Next(worldOf(s, managed, onlyShop, nil))
	compare(t, p)
	if !p.Done() || len(p) != 1 || len(p[0].Needs) != 1 {
		t.Errorf("got %+v", p)
	}
}

// TestDrift: what somebody changes in what is ours is put right, of a Gateway and of a ConfigMap.
func TestDrift(t *testing.T) {
	s, managed := done(t)
	cm := s.Get(mesh.ConfigMap, "shop", "waypoint-parameters")
	content := maps.Clone(cm.Content())
	content["data"] = map[string]any{"deployment": "spec: {replicas: 0}"}
	drifted := Next(worldOf(s.With(decode(content)), managed, onlyShop, nil))
	compare(t, drifted, "shop/waypoint: make-parameters Apply ConfigMap shop/waypoint-parameters")
	if why := drifted[0].Step.Why; !strings.HasSuffix(why, "says: deployment") || !strings.Contains(why, "WaypointProfile ") {
		t.Errorf("it says %q", why)
	}
	other := onlyShop
	other.Namespaces = maps.Clone(onlyShop.Namespaces)
	setting := other.Namespaces["shop"]
	setting.Profile.Labels = map[string]string{"team": "a"}
	other.Namespaces["shop"] = setting
	compare(t, Next(worldOf(s, managed, other, nil)), "shop/waypoint: make-gateway Apply Gateway shop/waypoint")
}

// TestNeverReady: nothing is labelled for a waypoint that does not become ready.
func TestNeverReady(t *testing.T) {
	s, managed := done(t)
	ns := s.Get(mesh.Namespace, "", "shop")
	s = s.With(labelled(ns, nil, label.IoIstioUseWaypoint.Name))
	delete(managed, refOf(ns))
	compare(t, Next(worldOf(s, managed, onlyShop, func(e *Evidence) {
		e.Waypoints[RefOf(mesh.Gateway, "shop", "waypoint")] = Serving{Why: "no pod of its current ReplicaSet is ready"}
	})), "shop/waypoint: waits make-gateway: no pod of its current ReplicaSet is ready")
	compare(t, Next(worldOf(s, managed, onlyShop, nil)), "shop/waypoint: make-binding Label Namespace shop")
}

// TestUnready: it is known how the pods of a waypoint do to which something is bound.
func TestUnready(t *testing.T) {
	s, managed := done(t)
	now := Serving{Why: "0 of 1 pods are ready", Down: true, Unapplied: "istiod has not made it", Overdue: true}
	look := func(now Serving) Course {
		p := Next(worldOf(s, managed, onlyShop, func(e *Evidence) {
			for ref := range e.Waypoints {
				e.Waypoints[ref] = now
			}
		}))
		if len(p) != 1 {
			t.Fatalf("got %+v", p)
		}
		return p[0]
	}
	if c := look(now); c.Unready != now.Why || !c.Down || c.Unapplied != now.Unapplied || !c.Overdue || len(c.Waiting)+len(c.Stopped) > 0 {
		t.Errorf("got %+v", c)
	}
	if c := look(Serving{Ready: true}); c.Unready+c.Unapplied != "" || c.Down || c.Overdue {
		t.Errorf("got %+v of one that serves", c)
	}
}

// TestConflict: what the API server refused is not tried again, and the manifest is there to be committed.
func TestConflict(t *testing.T) {
	s, managed := done(t)
	ns := s.Get(mesh.Namespace, "", "shop")
	s = s.With(labelled(ns, nil, label.IoIstioUseWaypoint.Name))
	delete(managed, refOf(ns))
	p := Next(worldOf(s, managed, onlyShop, func(e *Evidence) { e.Refused = map[mesh.Ref]string{refOf(ns): "argocd owns metadata.labels"} }))
	compare(t, p, "shop/waypoint: stopped make-binding: the API server refused it: argocd owns metadata.labels")
	if labels := p[0].Stopped[0].Manifest["metadata"].(map[string]any)["labels"]; fmt.Sprint(labels) != "map[istio.io/use-waypoint:waypoint]" {
		t.Errorf("manifest with labels %v", labels)
	}
	found := p.Findings()
	if len(found) != 1 || found[0].Object != ns.Ref() || !slices.Equal(found[0].Namespaces, []string{"shop"}) || len(found[0].Fixes) != 1 || fmt.Sprint(found[0].Fixes[0].Apply[0]) != fmt.Sprint(p[0].Stopped[0].Manifest) {
		t.Errorf("findings %+v", found)
	}
}

// TestRefusedIsTriedAgain: while a write that was refused is tried again what stopped is said as before, and what else is stopped.
func TestRefusedIsTriedAgain(t *testing.T) {
	s, managed := done(t)
	ns := s.Get(mesh.Namespace, "", "shop")
	s = s.With(labelled(ns, nil, label.IoIstioUseWaypoint.Name))
	delete(managed, refOf(ns))
	p := Next(worldOf(s, managed, onlyShop, func(e *Evidence) {
		e.Refused, e.Again = map[mesh.Ref]string{refOf(ns): "argocd owns metadata.labels"}, map[mesh.Ref]bool{refOf(ns): true}
	}))
	compare(t, p, "shop/waypoint: make-binding Label Namespace shop", "shop/waypoint: stopped make-binding: the API server refused it: argocd owns metadata.labels")
	if len(p.Findings()) != 1 {
		t.Errorf("findings %+v", p.Findings())
	}
}

// TestLookAlikes: what has our label and annotation and was not written by us is never touched, whichever is missing.
func TestLookAlikes(t *testing.T) {
	const alike = `{apiVersion: v1, kind: ConfigMap, metadata: {name: waypoint-parameters, namespace: shop, labels: {%s}, annotations: {%s}}, data: {deployment: "x"}}`
	both := fmt.Sprintf(alike, "app.kubernetes.io/managed-by: waywarden", "waywarden.dev/profile: default")
	for name, tc := range map[string]struct {
		text    string
		managed Managed
	}{
		"not written by us": {both, nil},
		"no label":          {fmt.Sprintf(alike, "", "waywarden.dev/profile: default"), Managed{RefOf(mesh.ConfigMap, "shop", "waypoint-parameters"): nil}},
		"no annotation":     {fmt.Sprintf(alike, "app.kubernetes.io/managed-by: waywarden", ""), Managed{RefOf(mesh.ConfigMap, "shop", "waypoint-parameters"): nil}},
	} {
		t.Run(name, func(t *testing.T) {
			compare(t, Next(worldOf(two(tc.text).Snapshot, tc.managed, onlyShop, nil)),
				"shop/waypoint: stopped make-parameters: ConfigMap shop/waypoint-parameters is not made: one of that name is there that is somebody else's. Rename or delete it.")
		})
	}
	gateway := `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: old, namespace: pay, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default}}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}`
	s := two(gateway).Snapshot
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "pay", "l7")).Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7"))
	compare(t, Next(worldOf(s, nil, Settings{Default: Setting{Mode: Provision}}, nil)))
}
