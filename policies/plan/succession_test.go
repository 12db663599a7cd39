package plan

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"istio.io/api/annotation"
	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// annotated is an object with one more annotation, as a person writes it; "" takes it off.
func annotated(o *mesh.Object, key, value string) *mesh.Object {
	out := *o
	out.Annotations = maps.Clone(o.Annotations)
	if out.Annotations == nil {
		out.Annotations = map[string]string{}
	}
	if out.Annotations[key] = value; value == "" {
		delete(out.Annotations, key)
	}
	return out.WithContent(noted(o.Content(), key, value))
}

const (
	atGate  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: at, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
	tokens  = `{apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: tokens, namespace: shop}, spec: {targetRef: {group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}, jwtRules: [{issuer: me}]}}`
	other   = `{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: other}, spec: {controllerName: istio.io/mesh-controller}}`
	istiod  = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: istiod, namespace: istio-system, labels: {app: istiod}}, spec: {selector: {matchLabels: {app: istiod}}, template: {metadata: {labels: {app: istiod}}, spec: {containers: [{name: discovery, image: "docker.io/istio/pilot:1.30.2"}]}}}}`
	foreign = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: b, namespace: shop}, spec: {gatewayClassName: CLASS, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}`
)

// journey takes all steps from a mesh on, and says them and where Namespace shop sends its calls with each. What people do is done
// when so many steps were taken.
func journey(t *testing.T, s *mesh.Snapshot, managed Managed, settings func() Settings, people map[int]func(*mesh.Snapshot) *mesh.Snapshot) ([]string, *mesh.Snapshot, Managed) {
	t.Helper()
	var out []string
	now := noon
	for range 80 {
		if act := people[len(out)]; act != nil {
			s = act(s)
			delete(people, len(out))
		}
		w := worldOf(s, managed, settings(), func(e *Evidence) { e.Acknowledged = now })
		w.Now = now
		p := Next(w)
		if len(p.Steps()) == 0 {
			if p.Done() {
				return out, s, managed
			}
			now = now.Add(time.Minute)
			continue
		}
		step := p.Steps()[0]
		s, managed = taken(s, managed, step)
		ns := s.Get(mesh.Namespace, "", "shop")
		at := ns.Labels[label.IoIstioUseWaypoint.Name]
		if c := ns.Labels[label.IoIstioUseWaypointCanary.Name]; c != "" {
			at += "+" + c + "=" + ns.Annotations[annotation.IoIstioUseWaypointCanaryWeight.Name]
		}
		out = append(out, string(step.Row)+" "+step.Object.Name+" at "+at)
		now = now.Add(time.Second)
	}
	t.Fatalf("it does not come to rest: %s", out)
	return nil, nil, nil
}

func write(name, key, value string) func(*mesh.Snapshot) *mesh.Snapshot {
	return func(s *mesh.Snapshot) *mesh.Snapshot {
		return s.With(annotated(s.Get(mesh.Gateway, "shop", name), key, value))
	}
}

func both(a, b func(*mesh.Snapshot) *mesh.Snapshot) func(*mesh.Snapshot) *mesh.Snapshot {
	return func(s *mesh.Snapshot) *mesh.Snapshot { return b(a(s)) }
}

// TestMoves: what is bound moves by one write, or by steps and one write, and back with one; the label is never off.
func TestMoves(t *testing.T) {
	const gone = " at b"
	for _, tc := range []struct {
		name   string
		more   []string
		people map[int]func(*mesh.Snapshot) *mesh.Snapshot
		want   []string
	}{
		{"at once", nil, map[int]func(*mesh.Snapshot) *mesh.Snapshot{0: write("waypoint", MigrateAnnotation, "shop/b")},
			[]string{"make-parameters b-parameters at waypoint", "make-gateway b at waypoint", "make-binding shop at b",
				"remove-drain waypoint" + gone, "remove-gateway waypoint" + gone, "remove-parameters waypoint-parameters" + gone, "remove-binding shop" + gone}},
		{"with a policy that names the Gateway", []string{atGate}, map[int]func(*mesh.Snapshot) *mesh.Snapshot{0: write("waypoint", MigrateAnnotation, "b")},
			[]string{"make-twin waywarden-copy-at.b at waypoint", "make-parameters b-parameters at waypoint", "make-gateway b at waypoint", "make-binding shop at b",
				"remove-drain waypoint" + gone, "remove-gateway waypoint" + gone, "remove-parameters waypoint-parameters" + gone, "remove-binding shop" + gone}},
		{"with tokens that the Gateway asks for", []string{tokens}, map[int]func(*mesh.Snapshot) *mesh.Snapshot{0: write("waypoint", MigrateAnnotation, "b")},
			[]string{"make-twin waywarden-copy-tokens.b at waypoint", "make-parameters b-parameters at waypoint", "make-gateway b at waypoint", "make-binding shop at b",
				"remove-drain waypoint" + gone, "remove-gateway waypoint" + gone, "remove-parameters waypoint-parameters" + gone, "remove-binding shop" + gone}},
		{"to one of somebody else's", []string{strings.ReplaceAll(foreign, "CLASS", "istio-waypoint")}, map[int]func(*mesh.Snapshot) *mesh.Snapshot{0: write("waypoint", MigrateAnnotation, "b")},
			[]string{"make-binding shop at b", "remove-drain waypoint" + gone, "remove-gateway waypoint" + gone, "remove-parameters waypoint-parameters" + gone, "remove-binding shop" + gone}},
		{"by steps", nil, map[int]func(*mesh.Snapshot) *mesh.Snapshot{0: both(write("waypoint", MigrateAnnotation, "b"), write("waypoint", StepsAnnotation, "10/5m,50/0s"))},
			[]string{"make-parameters b-parameters at waypoint", "make-gateway b at waypoint", "make-canary shop at waypoint+b=10", "make-canary shop at waypoint+b=50", "make-binding shop at b",
				"remove-drain waypoint" + gone, "remove-gateway waypoint" + gone, "remove-parameters waypoint-parameters" + gone, "remove-binding shop" + gone}},
		{"and back before a step", nil, map[int]func(*mesh.Snapshot) *mesh.Snapshot{0: both(write("waypoint", MigrateAnnotation, "b"), write("waypoint", StepsAnnotation, "10/5m,50/0s")), 3: write("waypoint", MigrateAnnotation, "")},
			[]string{"make-parameters b-parameters at waypoint", "make-gateway b at waypoint", "make-canary shop at waypoint+b=10", "roll-back shop at waypoint",
				"remove-drain b at waypoint", "remove-gateway b at waypoint", "remove-parameters b-parameters at waypoint", "remove-binding shop at waypoint"}},
		{"and on, and back to the first name", nil, map[int]func(*mesh.Snapshot) *mesh.Snapshot{0: write("waypoint", MigrateAnnotation, "b"), 6: write("b", MigrateAnnotation, "waypoint")},
			[]string{"make-parameters b-parameters at waypoint", "make-gateway b at waypoint", "make-binding shop at b",
				"remove-drain waypoint" + gone, "remove-gateway waypoint" + gone, "remove-parameters waypoint-parameters" + gone,
				"make-parameters waypoint-parameters at b", "make-gateway waypoint at b", "make-binding shop at waypoint",
				"remove-drain b at waypoint", "remove-gateway b at waypoint", "remove-parameters b-parameters at waypoint", "remove-binding shop at waypoint"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, managed := done(t)
			for _, text := range tc.more {
				s = s.With(parse(text))
			}
			rows, s, managed := journey(t, s, managed, func() Settings { return onlyShop }, tc.people)
			if diff := cmp.Diff(tc.want, rows); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if rows, _, _ := journey(t, s, managed, func() Settings { return onlyShop }, nil); len(rows) > 0 {
				t.Errorf("it does not stay so: %s", rows)
			}
		})
	}
}

// TestCopyStays: the copy of a policy that names a Gateway of which another has taken the place stays, and the waypoint with it, until
// its owner binds it otherwise.
func TestCopyStays(t *testing.T) {
	s, managed := done(t)
	s = s.With(parse(atGate))
	settings := func() Settings { return onlyShop }
	_, s, managed = journey(t, s, managed, settings, map[int]func(*mesh.Snapshot) *mesh.Snapshot{0: write("waypoint", MigrateAnnotation, "b")})
	s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", "l7"))
	rows, s, managed := journey(t, s, managed, settings, nil)
	if len(rows) > 0 || s.Get(mesh.AuthorizationPolicy, "shop", "waywarden-copy-at.b") == nil {
		t.Errorf("steps %s", rows)
	}
	p := Make(worldOf(s, managed, onlyShop, nil).View, onlyShop, managed)
	i := slices.IndexFunc(p.Waypoints, func(w Waypoint) bool { return w.Namespace == "shop" })
	if i < 0 || len(p.Waypoints[i].Needs) != 1 || !strings.Contains(p.Waypoints[i].Needs[0].Reason, "whose place shop/b has taken") {
		t.Errorf("waypoints %+v", p.Waypoints)
	}
	s = s.With(parse(strings.ReplaceAll(atGate, "name: waypoint}", "name: b}")))
	rows, _, _ = journey(t, s, managed, settings, nil)
	if diff := cmp.Diff([]string{"remove-twin waywarden-copy-at.b at b"}, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCopyOfAnotherKind: the copy of a RequestAuthentication says the same of another Gateway, goes with it, and is not taken for an
// AuthorizationPolicy of its name.
func TestCopyOfAnotherKind(t *testing.T) {
	s, managed := done(t)
	s = s.With(parse(tokens)).With(parse(strings.ReplaceAll(atGate, "name: at,", "name: tokens,")))
	settings := func() Settings { return onlyShop }
	_, s, managed = journey(t, s, managed, settings, map[int]func(*mesh.Snapshot) *mesh.Snapshot{0: write("waypoint", MigrateAnnotation, "b")})
	for _, kind := range []mesh.Kind{mesh.RequestAuthentication, mesh.AuthorizationPolicy} {
		o, was := s.Get(kind, "shop", "waywarden-copy-tokens.b"), s.Get(kind, "shop", "tokens")
		if o == nil {
			t.Fatalf("no copy of %s", was)
		}
		want := maps.Clone(was.Content()["spec"].(map[string]any))
		delete(want, "targetRef")
		want["targetRefs"] = []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "b"}}
		if diff := cmp.Diff(want, o.Content()["spec"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", o, diff)
		}
	}
	s = s.Without(s.Get(mesh.RequestAuthentication, "shop", "tokens"))
	rows, s, _ := journey(t, s, managed, settings, nil)
	if diff := cmp.Diff([]string{"remove-twin waywarden-copy-tokens.b at b"}, rows); diff != "" || s.Get(mesh.AuthorizationPolicy, "shop", "waywarden-copy-tokens.b") == nil {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDoesNotFollow: what names the old Gateway or its class, and would not mean the same under another name, stops the move, each by
// its name.
func TestDoesNotFollow(t *testing.T) {
	const (
		ref       = `targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]`
		telemetry = `{apiVersion: telemetry.istio.io/v1, kind: Telemetry, metadata: {name: logs, namespace: shop}, spec: {` + ref + `, accessLogging: [{}]}}`
		plugin    = `{apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, metadata: {name: plugin, namespace: shop}, spec: {` + ref + `, url: "oci://a/b"}}`
		filter    = `{apiVersion: networking.istio.io/v1alpha3, kind: EnvoyFilter, metadata: {name: filter, namespace: shop}, spec: {` + ref + `}}`
		ofClass   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: everywhere, namespace: istio-system}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
		names     = "does not move to waypoint b: EnvoyFilter shop/filter, Telemetry shop/logs, WasmPlugin shop/plugin would do nothing there"
	)
	for name, tc := range map[string]struct {
		more []string
		says string
	}{
		"by name":            {more: []string{telemetry, plugin, filter, tokens, atGate}, says: names},
		"what is copied":     {more: []string{tokens, atGate}},
		"by class":           {more: []string{other, ofClass, strings.ReplaceAll(foreign, "CLASS", "other")}, says: "AuthorizationPolicy istio-system/everywhere would do nothing there"},
		"by the class again": {more: []string{ofClass, strings.ReplaceAll(foreign, "CLASS", "istio-waypoint")}},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed := done(t)
			for _, text := range tc.more {
				s = s.With(parse(text))
			}
			s = write("waypoint", MigrateAnnotation, "b")(s)
			for range 20 {
				for _, step := range Next(worldOf(s, managed, onlyShop, nil)).Steps() {
					s, managed = taken(s, managed, step)
				}
			}
			got := strings.Join(says(Next(worldOf(s, managed, onlyShop, nil))), "\n")
			stays := s.Get(mesh.Namespace, "", "shop").Labels[label.IoIstioUseWaypoint.Name] == "waypoint"
			if stays != (tc.says != "") || !strings.Contains(got, tc.says) {
				t.Errorf("it stays: %v; it says %s", stays, got)
			}
			if gw := s.Get(mesh.Gateway, "shop", "b"); name == "by name" && gw != nil {
				t.Error("a Gateway is made to which nothing can move")
			}
		})
	}
}

// TestClassChanges: a Gateway keeps its class. Another one of the new class takes its place, and the profile's annotation makes that
// go by steps. How far it may go is said on the Gateway that is left.
func TestClassChanges(t *testing.T) {
	s, managed := done(t)
	s = s.With(parse(other))
	changed := onlyShop
	changed.Namespaces = maps.Clone(onlyShop.Namespaces)
	setting := changed.Namespaces["shop"]
	setting.Profile.GatewayClassName, setting.Profile.Steps = "other", "20"
	changed.Namespaces["shop"] = setting
	rows, s, managed := journey(t, s, managed, func() Settings { return changed }, map[int]func(*mesh.Snapshot) *mesh.Snapshot{3: write("waypoint", GoAnnotation, "20")})
	if diff := cmp.Diff([]string{"make-parameters waypoint-2-parameters at waypoint", "make-gateway waypoint-2 at waypoint", "make-canary shop at waypoint+waypoint-2=20", "make-binding shop at waypoint-2",
		"remove-drain waypoint at waypoint-2", "remove-gateway waypoint at waypoint-2", "remove-parameters waypoint-parameters at waypoint-2", "remove-binding shop at waypoint-2"}, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if gw := s.Get(mesh.Gateway, "shop", "waypoint-2"); classOf(gw) != "other" {
		t.Errorf("its class is %s", classOf(gw))
	}
	if rows, _, _ := journey(t, s, managed, func() Settings { return changed }, nil); len(rows) > 0 {
		t.Errorf("it does not stay so: %s", rows)
	}
	setting.Profile.GatewayClassName = "nobodys"
	changed.Namespaces["shop"] = setting
	if rows, _, _ := journey(t, s, managed, func() Settings { return changed }, nil); len(rows) > 0 {
		t.Errorf("a class that is not Istio's changes something: %s", rows)
	}
}

// TestNoMove: what cannot be moved to stays where it is, and it is said why, before anything is made.
func TestNoMove(t *testing.T) {
	for name, tc := range map[string]struct {
		to, steps string
		more      []string
		want      string
	}{
		"itself":            {to: "waypoint", want: "that is itself"},
		"another namespace": {to: "pay/b", want: "only handed on within its namespace"},
		"no name":           {to: "B_1", want: "no name that istiod can give a Service"},
		"another class":     {to: "b", more: []string{strings.ReplaceAll(foreign, "CLASS", "istio")}, want: "no waypoint of Istio's own for Services"},
		"another port":      {to: "b", more: []string{strings.NewReplacer("CLASS", "istio-waypoint", "15008", "15009").Replace(foreign)}, want: "Give it one of protocol HBONE on port 15008, and no other"},
		"another revision":  {to: "b", more: []string{revised, ofRevision("b", "other")}, want: `no istiod here has its revision "other"`},
		"a Service's name":  {to: "web", want: "a Deployment, Service or ServiceAccount of somebody else's has that name"},
		"before 1.31":       {to: "b", steps: "10/1m", more: []string{istiod}, want: "Istio 1.30.2 knows no canary of a waypoint, which came with 1.31"},
		"no percentage":     {to: "b", steps: "50/1m,10/1m", want: `"10" is no percentage from 1 to 100 that is higher than the one before`},
		"no time":           {to: "b", steps: "50/soon", want: `"soon" is no length of time`},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed := done(t)
			for _, text := range tc.more {
				s = s.With(parse(text))
			}
			s = both(write("waypoint", MigrateAnnotation, tc.to), write("waypoint", StepsAnnotation, tc.steps))(s)
			p := Next(worldOf(s, managed, onlyShop, nil))
			if got := strings.Join(says(p), "\n"); len(p.Steps()) > 0 || !strings.Contains(got, "stopped") || !strings.Contains(got, tc.want) {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestHeld: a step without a time is held until somebody says that it may go on, and one that istiod does not carry out is not
// counted.
func TestHeld(t *testing.T) {
	s, managed := done(t)
	s = both(write("waypoint", MigrateAnnotation, "b"), write("waypoint", StepsAnnotation, "10,50"))(s)
	step := func() []string {
		w := worldOf(s, managed, onlyShop, nil)
		p := Next(w)
		for _, step := range p.Steps() {
			s, managed = taken(s, managed, step)
		}
		return says(p)
	}
	for range 3 {
		step()
	}
	if got := step(); len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), "10% of its connections take waypoint b until annotation waywarden.dev/migrate-go") {
		t.Errorf("got %q", got)
	}
	s = write("waypoint", GoAnnotation, "10")(s)
	if got := step(); !strings.Contains(strings.Join(got, "\n"), "make-canary Label Namespace shop") {
		t.Errorf("got %q", got)
	}
	s = s.With(annotated(s.Get(mesh.Namespace, "", "shop"), annotation.IoIstioUseWaypointCanaryWeight.Name, "110"))
	s = write("waypoint", GoAnnotation, "50")(s)
	if got := step(); !strings.Contains(strings.Join(got, "\n"), "istiod does not send it to the canary Gateway shop/b: CanaryInvalidWeight") {
		t.Errorf("got %q", got)
	}
}

// TestLoweredSteps: what has a larger share than the steps now go to is held with it until somebody says that it may go on.
func TestLoweredSteps(t *testing.T) {
	for name, tc := range map[string]struct {
		steps, lets string // what is written at 50 %, and how far it may go
		want        string
	}{
		"lowered":             {steps: "10,40", lets: "10", want: "waits make-canary: 50% of its connections take waypoint b until annotation waywarden.dev/migrate-go"},
		"lowered, by time":    {steps: "10/0s,40/0s", lets: "10", want: "waits make-canary: 50% of its connections take waypoint b until annotation waywarden.dev/migrate-go"},
		"lowered, and let":    {steps: "10,40", lets: "50", want: "make-binding Label Namespace shop"},
		"lowered, and beyond": {steps: "10,40,60", lets: "10", want: "make-canary Label Namespace shop"},
		"none any more":       {lets: "10", want: "make-binding Label Namespace shop"},
	} {
		t.Run(name, func(t *testing.T) {
			s, managed := done(t)
			s = both(write("waypoint", MigrateAnnotation, "b"), both(write("waypoint", StepsAnnotation, "10,50"), write("waypoint", GoAnnotation, "10")))(s)
			for range 4 {
				for _, step := range Next(worldOf(s, managed, onlyShop, nil)).Steps() {
					s, managed = taken(s, managed, step)
				}
			}
			if got := s.Get(mesh.Namespace, "", "shop").Annotations[annotation.IoIstioUseWaypointCanaryWeight.Name]; got != "50" {
				t.Fatalf("its share is %q", got)
			}
			s = both(write("waypoint", StepsAnnotation, tc.steps), write("waypoint", GoAnnotation, tc.lets))(s)
			if got := says(Next(worldOf(s, managed, onlyShop, nil))); !strings.Contains(strings.Join(got, "\n"), "shop/b: "+tc.want) {
				t.Errorf("got %q, want %s", got, tc.want)
			}
		})
	}
}

// TestForeignLabelStays: a label of somebody else's does not move, and it is said what to commit.
func TestForeignLabelStays(t *testing.T) {
	s, managed := done(t, `{apiVersion: v1, kind: Service, metadata: {name: theirs, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}, spec: {clusterIP: 10.96.0.12, selector: {app: theirs}, ports: [{name: http, port: 80}]}}`)
	s = write("waypoint", MigrateAnnotation, "b")(s)
	for range 5 {
		for _, step := range Next(worldOf(s, managed, onlyShop, nil)).Steps() {
			s, managed = taken(s, managed, step)
		}
	}
	found := Next(worldOf(s, managed, onlyShop, nil)).Findings()
	if len(found) != 1 || !strings.Contains(found[0].Message, "Service shop/theirs asks for it by a label of somebody else's, and waypoint b has taken its place") {
		t.Fatalf("got %+v", found)
	}
	if diff := cmp.Diff(map[string]any{"name": "theirs", "namespace": "shop", "labels": map[string]any{label.IoIstioUseWaypoint.Name: "b"}}, found[0].Fixes[0].Apply[0]["metadata"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
