package plan

import (
	"slices"
	"strings"
	"testing"
	"time"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

const (
	frontGateway = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: front, namespace: edge}, spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]}}`
	frontRoute   = `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: in, namespace: shop}, spec: {parentRefs: [{name: front, namespace: edge}], rules: [{backendRefs: [{name: cart, port: 80}]}]}}`
)

var cartGuard = guardOf(RefOf(mesh.Service, "shop", "cart"))

// guardedShop are settings by which guards are set in namespace shop, and ingress gateways sent through the waypoint, or not.
func guardedShop(ingress bool) Settings {
	return Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision, Bypass: Guard, Profile: Profile{Name: "default", Ingress: ingress}}}}
}

// rested takes all steps but those of a row, which are refused, and is what is there then, with the rows in their order.
func rested(s *mesh.Snapshot, managed Managed, settings Settings, refuse Row) (*mesh.Snapshot, Managed, []string) {
	refused := map[mesh.Ref]string{}
	var rows []string
	for range 40 {
		steps := Next(worldOf(s, managed, settings, func(e *Evidence) { e.Refused = refused })).Steps()
		if len(steps) == 0 {
			break
		}
		if rows = append(rows, string(steps[0].Row)); steps[0].Row == refuse {
			refused[steps[0].Object] = "field manager argocd owns it"
			continue
		}
		s, managed = taken(s, managed, steps[0])
	}
	return s, managed, rows
}

// TestGuardBesideIngress: a guard is set where ingress gateways are sent through the waypoint, and nowhere else: where their label is left
// out, is its owner's, or is refused, they are sent to the pods, and the guard would shut them out.
func TestGuardBesideIngress(t *testing.T) {
	const (
		allow = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: a, namespace: shop}, spec: {rules: [{from: [{source: {namespaces: [web, edge]}}]}]}}`
		owned = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/ingress-use-waypoint: "VALUE"}}}`
		says  = "ingress gateways still send to the pods: "
	)
	own := func(value string) string { return strings.Replace(owned, "VALUE", value, 1) }
	for name, tc := range map[string]struct {
		more    []string
		refuse  Row
		says    string
		guarded bool
	}{
		"they are sent there":                        {more: []string{frontGateway, frontRoute}, guarded: true},
		"their owner sends them":                     {more: []string{frontGateway, frontRoute, own("true")}, guarded: true},
		"a policy says who gets in":                  {more: []string{frontGateway, frontRoute, allow}, says: says + "AuthorizationPolicy shop/waywarden-twin-a.cart says by identity"},
		"their owner does not":                       {more: []string{frontGateway, frontRoute, own("false")}, says: says + "Namespace shop has label istio.io/ingress-use-waypoint=false of its owner's."},
		"their owner does not, and there is none":    {more: []string{own("false")}, says: says + "Namespace shop has label", guarded: true},
		"the label is refused":                       {more: []string{frontGateway, frontRoute}, refuse: MakeIngress},
		"the label is refused, and there is none":    {refuse: MakeIngress},
		"another label is refused, so nothing bound": {more: []string{frontGateway, frontRoute}, refuse: MakeBinding},
	} {
		t.Run(name, func(t *testing.T) {
			s := two(append(tc.more, cartPods)...).Snapshot
			p := Make(policies.NewView(s), guardedShop(true), nil)
			if told := slices.ContainsFunc(p.Notices, func(n Notice) bool {
				return n.Class == ClassIngress && n.On.Name == "cart" && strings.HasPrefix(n.Why, tc.says)
			}); told != (tc.says != "") {
				t.Errorf("told %v: %v", told, p.Notices)
			}
			then, managed, rows := rested(s, Managed{}, guardedShop(true), tc.refuse)
			if guarded := managed.Made(find(then, cartGuard)); guarded != tc.guarded {
				t.Errorf("guarded %v, after %v", guarded, rows)
			}
		})
	}
}

// TestGuardGoesWhereIngressIsLost: a guard that is there goes where the label for ingress gateways is taken off and refused, if there is
// such a gateway.
func TestGuardGoesWhereIngressIsLost(t *testing.T) {
	for name, tc := range map[string]struct {
		more []string
		goes bool
	}{"a gateway": {[]string{frontGateway, frontRoute}, true}, "none": {nil, false}} {
		s, managed, _ := rested(two(append(tc.more, cartPods)...).Snapshot, Managed{}, guardedShop(true), "")
		if !managed.Made(find(s, cartGuard)) {
			t.Fatalf("%s: no guard", name)
		}
		ns := s.Get(mesh.Namespace, "", "shop")
		off := labelled(ns, nil, "istio.io/ingress-use-waypoint")
		then, left, rows := rested(s.With(off), managed, guardedShop(true), MakeIngress)
		if there := left.Made(find(then, cartGuard)); there == tc.goes {
			t.Errorf("%s: guarded %v, after %v", name, there, rows)
		}
	}
}

// TestIngressTakenBack: where ingress gateways are to be sent to the pods again, by a profile that asks for it no more, every ztunnel knows
// first that the guard is gone which would shut them out there. So it is where the label goes in the patch of a move.
func TestIngressTakenBack(t *testing.T) {
	s, managed, _ := rested(two(cartPods, frontGateway, frontRoute).Snapshot, Managed{}, guardedShop(true), "")
	if s.Get(mesh.Namespace, "", "shop").Labels["istio.io/ingress-use-waypoint"] != "true" || !managed.Made(find(s, cartGuard)) {
		t.Fatal("not sent through the waypoint, or not guarded")
	}
	moves := s.With(annotated(s.Get(mesh.Gateway, "shop", "waypoint"), MigrateAnnotation, "b"))
	for name, tc := range map[string]struct {
		s    *mesh.Snapshot
		last Row // that drops the label
	}{"at rest": {s, RemoveIngress}, "in a move": {moves, MakeBinding}} {
		t.Run(name, func(t *testing.T) {
			off, s, managed := guardedShop(false), tc.s, managed
			behind := func(e *Evidence) { e.Written = map[mesh.Ref]time.Time{cartGuard: noon} }
			for range 40 {
				steps := Next(worldOf(s, managed, off, nil)).Steps()
				i := slices.IndexFunc(steps, func(st Step) bool {
					if st.Action != Bind && st.Action != Release {
						return false
					}
					labels, _ := st.Manifest["metadata"].(map[string]any)["labels"].(map[string]any)
					return labels["istio.io/ingress-use-waypoint"] == nil
				})
				switch {
				case len(steps) == 0:
					t.Fatalf("the label stays: %v", says(Next(worldOf(s, managed, off, nil))))
				case i < 0:
					s, managed = taken(s, managed, steps[0])
					continue
				case steps[i].Row != tc.last:
					t.Errorf("the label goes with %s", steps[i].Row)
				}
				if find(s, cartGuard) != nil {
					t.Error("the label goes, and the guard is there")
				}
				for _, st := range Next(worldOf(s, managed, off, behind)).Steps() {
					if st.Object == steps[i].Object {
						t.Errorf("%s %s, while a ztunnel has the guard still", st.Row, st.Object)
					}
				}
				return
			}
		})
	}
}

// TestGuardGoesWhereIngressIsUndone: a label for ingress gateways that a webhook undoes on the way is as one that is refused.
func TestGuardGoesWhereIngressIsUndone(t *testing.T) {
	s, managed, _ := rested(two(cartPods, frontGateway, frontRoute).Snapshot, Managed{}, guardedShop(true), "")
	if !managed.Made(find(s, cartGuard)) {
		t.Fatal("there is no guard")
	}
	s = s.With(labelled(s.Get(mesh.Namespace, "", "shop"), nil, label.IoIstioIngressUseWaypoint.Name))
	refused, undone := map[mesh.Ref]string{}, map[mesh.Ref]bool{}
	for range 20 {
		steps := Next(worldOf(s, managed, guardedShop(true), func(e *Evidence) { e.Refused, e.TakenBack = refused, undone })).Steps()
		if len(steps) == 0 {
			break
		}
		if steps[0].Row == MakeIngress {
			refused[steps[0].Object], undone[steps[0].Object] = "", true
			continue
		}
		s, managed = taken(s, managed, steps[0])
	}
	if managed.Made(find(s, cartGuard)) {
		t.Error("the guard shuts ingress gateways out")
	}
}
