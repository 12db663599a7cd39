package plan

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// theirWaypoint is the one that a label of somebody else's on Namespace shop asks for.
var theirWaypoint = RefOf(mesh.Gateway, "shop", "wp")

// askedByOthers is a mesh in which somebody else's label asks for a waypoint that is not there.
func askedByOthers(more ...string) *mesh.Snapshot {
	const ns = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: wp}}}`
	s := two(append(more, ns, cartPods)...).Snapshot
	return s.Without(s.Get(mesh.Service, "shop", "web"))
}

// TestGuardOfTheirLabel: what somebody else's label binds to a waypoint that is made is held until that serves and every proxy knows it,
// and guarded from then on.
func TestGuardOfTheirLabel(t *testing.T) {
	for name, tc := range map[string]struct {
		more    []string
		setting Setting
		want    string // rows, and "ready" when the waypoint is
	}{
		"neither":               {[]string{agreedCart}, Setting{}, "make-gateway ready"},
		"guarded":               {nil, Setting{Bypass: Guard}, "make-gateway ready make-guard"},
		"held":                  {[]string{agreedCart}, Setting{Pending: Guard}, "hold make-gateway ready remove-guard"},
		"held, then guarded":    {[]string{agreedCart}, Setting{Pending: Guard, Bypass: Guard}, "hold make-gateway ready make-guard"},
		"nobody agreed to that": {nil, Setting{Pending: Guard}, "make-gateway ready"},
		"nobody is served":      {[]string{endpointSlice("shop", "cart", false)}, Setting{Pending: Guard}, "hold make-gateway ready remove-guard"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.setting.Mode, tc.setting.Profile = Provision, Profile{Name: "default"}
			settings := Settings{Namespaces: map[string]Setting{"shop": tc.setting}}
			s, managed, ready := askedByOthers(tc.more...), Managed{}, false
			var rows []string
			serving := func(e *Evidence) { e.Waypoints[theirWaypoint] = Serving{Ready: ready} }
			behind := func(e *Evidence) { serving(e); e.Written = map[mesh.Ref]time.Time{theirWaypoint: noon} }
			for range 10 {
				p := Next(worldOf(s, managed, settings, serving))
				steps := p.Steps()
				switch {
				case len(steps) == 0 && ready:
					if got := strings.Join(rows, " "); got != tc.want || !p.Done() {
						t.Errorf("%s, want %s; %v", got, tc.want, says(p))
					}
					if guarded := managed.Made(find(s, cartGuard)); guarded != (tc.setting.Bypass == Guard) || guarded && find(s, cartGuard).Annotations[HeldAnnotation] != "" {
						t.Errorf("guarded %v in the end", guarded)
					}
					return
				case len(steps) == 0:
					if held := managed.Made(find(s, cartGuard)); held != strings.HasPrefix(tc.want, "hold") {
						t.Errorf("held %v while it waits", held)
					}
					none := func(when string, change func(*Evidence)) {
						for _, early := range Next(worldOf(s, managed, settings, change)).Steps() {
							t.Errorf("%s, and %s %s", when, early.Row, early.Object)
						}
					}
					none("it has no address", func(e *Evidence) { e.Waypoints[theirWaypoint] = Serving{Ready: true} })
					s, rows = s.With(readyGateway(s, "shop", "wp", "service", "shop")), append(rows, "ready")
					none("its pods are not ready", serving)
					ready = true
					none("not every ztunnel knows the waypoint", behind)
					continue
				}
				rows = append(rows, string(steps[0].Row))
				if s, managed = taken(s, managed, steps[0]); steps[0].Row == MakeGateway {
					s = s.With(unready(steps[0].Manifest))
				}
			}
			t.Errorf("no end: %v", rows)
		})
	}
}

// unready is a Gateway that istiod has given no address yet.
func unready(manifest map[string]any) *mesh.Object {
	content := maps.Clone(manifest)
	content["status"] = map[string]any{"addresses": []any{}}
	out := *decode(content)
	out.Live = true
	return &out
}

// TestTheirHoldEnds: a Service that waits for the waypoint of somebody else's label, and was closed because no endpoint was ready, is
// opened where that waypoint cannot be made and its pods are ready; one whose owner agreed is not.
func TestTheirHoldEnds(t *testing.T) {
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Pending: Guard, Profile: Profile{Name: "default"}}}}
	for name, tc := range map[string]struct {
		more []string
		want []string
	}{
		"unserved": {nil, []string{"shop/wp: remove-guard Delete AuthorizationPolicy shop/waywarden-guard-cart"}},
		"agreed":   {[]string{agreedCart}, nil},
	} {
		s, managed := askedByOthers(append(tc.more, endpointSlice("shop", "cart", false))...), Managed{}
		hold := Next(worldOf(s, managed, settings, nil)).Steps()[0]
		if hold.Row != Hold {
			t.Fatalf("%s: %s %s first", name, hold.Row, hold.Object)
		}
		s, managed = taken(s, managed, hold)
		s = s.With(parse(endpointSlice("shop", "cart", true)))
		got := says(Next(worldOf(s, managed, settings, func(e *Evidence) {
			e.Refused = map[mesh.Ref]string{theirWaypoint: "quota"}
			e.RefusedSince = map[mesh.Ref]time.Time{theirWaypoint: noon.Add(-time.Hour)}
		})))
		want := append(tc.want, "shop/wp: stopped make-gateway: the API server refused it: quota")
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestNoGuardIsSaid: where a guard is asked for and there can be none, a notice says so, and the waypoint is Unguarded.
func TestNoGuardIsSaid(t *testing.T) {
	const (
		headed  = `{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {clusterIP: 10.96.0.10, ports: [{name: http, port: 80}]}}`
		outside = `{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: bank, namespace: shop}, spec: {hosts: [bank.example.com], addresses: [240.1.0.1], location: MESH_EXTERNAL, resolution: DNS, ports: [{number: 80, name: http, protocol: HTTP}]}}`
		denies  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7-bank, namespace: shop}, spec: {action: DENY, targetRefs: [{group: networking.istio.io, kind: ServiceEntry, name: bank}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`
		says    = "it is not guarded: a guard selects pods as its Service does, and "
	)
	for name, tc := range map[string]struct {
		s       *mesh.Snapshot
		bypass  Opening
		on, why string
	}{
		"a Service without selector":           {two(headed).Snapshot, Guard, "cart", says + "this one has no selector. Give it one"},
		"a ServiceEntry":                       {two(cartPods, outside, denies).Snapshot, Guard, "bank", says + "this is a ServiceEntry. Keep callers"},
		"nobody asks for one":                  {two(headed).Snapshot, Open, "", ""},
		"a known way, to what others labelled": {askedByOthers(frontGateway, frontRoute), Guard, "cart", "it is not guarded: HTTPRoute shop/in leads from Gateway edge/front to Service shop/cart"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: tc.bypass, Profile: Profile{Name: "default"}}}}
			p := Make(policies.NewView(tc.s), settings, nil)
			i := slices.IndexFunc(p.Notices, func(n Notice) bool {
				return n.Class == ClassGuard && n.On.Name == tc.on && strings.HasPrefix(n.Why, tc.why)
			})
			if i >= 0 != (tc.why != "") {
				t.Errorf("said: %v", p.Notices)
			}
			progress := Next(worldOf(tc.s, Managed{}, settings, nil))
			unguarded := slices.ContainsFunc(progress, func(c Course) bool { return i >= 0 && slices.Contains(c.Unguarded, p.Notices[i]) })
			if unguarded != (i >= 0) {
				t.Errorf("unguarded: %+v", progress)
			}
		})
	}
}
