package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies/mesh"
)

// TestNetworkPolicies: what would be cut off by a NetworkPolicy is not bound, and the policy is named.
func TestNetworkPolicies(t *testing.T) {
	const (
		pods   = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a, ports: [{name: mesh, containerPort: 15008}]}]}}}}`
		client = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: a}]}}}}`
		front  = `{apiVersion: v1, kind: Namespace, metadata: {name: front, labels: {istio.io/dataplane-mode: ambient, team: front}}}`
		caller = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: caller, namespace: front}, spec: {selector: {matchLabels: {app: caller}}, template: {metadata: {labels: {app: caller}}, spec: {containers: [{name: a, image: a}]}}}}`
	)
	policy := func(spec string) string {
		return "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: shop}, spec: " + spec + "}"
	}
	outside := func(spec string) string {
		return strings.Replace(policy(spec), "namespace: shop", "namespace: front", 1)
	}
	const wp = "gateway.networking.k8s.io/gateway-name: waypoint"
	for name, tc := range map[string]struct {
		more []string
		says string // "" where it is bound
	}{
		"none":                             {more: []string{pods, client}},
		"all may":                          {more: []string{pods, client, policy(`{podSelector: {}, ingress: [{}]}`)}},
		"nobody may call":                  {more: []string{pods, policy(`{podSelector: {}}`)}, says: "NetworkPolicy shop/np keeps the pods of waypoint shop/waypoint from Deployment shop/cart"},
		"the namespace may":                {more: []string{pods, client, policy(`{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}`)}},
		"by another namespace's selector":  {more: []string{pods, policy(`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: front}}}]}]}`)}, says: "keeps the pods of waypoint"},
		"by the namespace's name":          {more: []string{pods, policy(`{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}]}`)}},
		"the clients may":                  {more: []string{pods, client, policy(`{podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}`)}, says: "NetworkPolicy shop/np keeps the pods of waypoint shop/waypoint from Deployment shop/cart"},
		"the clients and the waypoint may": {more: []string{pods, client, policy(`{podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {podSelector: {matchLabels: {` + wp + `}}}]}]}`)}},
		"the application's port":           {more: []string{pods, policy(`{podSelector: {matchLabels: {app: cart}}, ingress: [{ports: [{port: 80}]}]}`)}, says: "keeps the pods of waypoint"},
		"a port by its name":               {more: []string{pods, policy(`{podSelector: {matchLabels: {app: cart}}, ingress: [{ports: [{port: mesh}]}]}`)}},
		"a range of ports":                 {more: []string{pods, policy(`{podSelector: {matchLabels: {app: cart}}, ingress: [{ports: [{port: 15000, endPort: 15010}]}]}`)}},
		"a range that ends before":         {more: []string{pods, policy(`{podSelector: {matchLabels: {app: cart}}, ingress: [{ports: [{port: 15000, endPort: 15007}]}]}`)}, says: "keeps the pods of waypoint"},
		"UDP":                              {more: []string{pods, policy(`{podSelector: {matchLabels: {app: cart}}, ingress: [{ports: [{port: 15008, protocol: UDP}]}]}`)}, says: "keeps the pods of waypoint"},
		"addresses":                        {more: []string{pods, policy(`{podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}`)}},
		"only egress":                      {more: []string{pods, policy(`{podSelector: {matchLabels: {app: cart}}, policyTypes: [Egress]}`)}},
		"the waypoint may not connect":     {more: []string{pods, policy(`{podSelector: {}, policyTypes: [Egress]}`)}, says: "NetworkPolicy shop/np keeps the pods of waypoint shop/waypoint from istiod"},
		"to istiod only":                   {more: []string{pods, policy(`{podSelector: {matchLabels: {` + wp + `}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}}], ports: [{port: 15012}]}]}`)}, says: "from Deployment shop/cart"},
		"to the namespace only":            {more: []string{pods, policy(`{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}`), `{apiVersion: v1, kind: Pod, metadata: {name: istiod-1, namespace: istio-system, labels: {app: istiod}}, spec: {containers: [{name: a, image: a}]}}`}, says: "from istiod"},
		"a client may not, for the waypoint's policy": {more: []string{pods, client, policy(`{podSelector: {matchLabels: {` + wp + `}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: front}}}]}]}`)},
			says: "NetworkPolicy shop/np keeps Deployment shop/web, which gets to Service shop/cart now, from the pods of waypoint shop/waypoint"},
		"a client may not, for its own policy": {more: []string{pods, front, caller, outside(`{podSelector: {}, egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: cart}}}]}]}`)},
			says: "NetworkPolicy front/np keeps Deployment front/caller, which gets to Service shop/cart now"},
		"a client may, by its own policy": {more: []string{pods, front, caller, outside(`{podSelector: {}, egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}]}`)}},
		"a client that never could":       {more: []string{pods, front, caller, outside(`{podSelector: {}, policyTypes: [Egress]}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Make(two(tc.more...), Settings{}, nil)
			bound := slices.ContainsFunc(p.Labels, func(l Label) bool {
				return slices.ContainsFunc(l.Binds, func(r mesh.Ref) bool { return r.Namespace == "shop" && r.Name == "cart" })
			})
			told := slices.ContainsFunc(p.Blocked, func(b Blocked) bool { return b.Target.Namespace == "shop" && strings.Contains(b.Why, tc.says) })
			if bound != (tc.says == "") || told != (tc.says != "") {
				t.Errorf("bound %v, told %v: %v", bound, told, p.Blocked)
			}
			if !slices.ContainsFunc(p.Labels, func(l Label) bool { return l.On.Name == "pay" }) {
				t.Error("another namespace is not bound")
			}
		})
	}
}

// TestStaysBound: what is bound already is not let go for a NetworkPolicy that comes later.
func TestStaysBound(t *testing.T) {
	s, managed := done(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`)
	s = s.With(parse(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: shop}, spec: {podSelector: {}}}`))
	compare(t, Next(worldOf(s, managed, onlyShop, nil)))
}

// TestMoveIsCut: what would be cut off at the waypoint to come stays where it is bound, and the policy is named.
func TestMoveIsCut(t *testing.T) {
	const (
		pods   = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}`
		policy = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: shop}, spec: {podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{podSelector: {matchExpressions: [{key: gateway.networking.k8s.io/gateway-name, operator: In, values: [ADMITTED]}]}}]}]}}`
	)
	for admitted, want := range map[string]string{"waypoint": "waypoint", "waypoint, b": "b"} {
		s, managed := done(t, pods, strings.Replace(policy, "ADMITTED", admitted, 1))
		s = write("waypoint", MigrateAnnotation, "b")(s)
		w := worldOf(s, managed, onlyShop, nil)
		i := slices.IndexFunc(w.Plan.Labels, func(l Label) bool { return l.On.Name == "shop" })
		if i < 0 || w.Plan.Labels[i].Value != want {
			t.Errorf("where %s may call, the labels are %+v", admitted, w.Plan.Labels)
		}
		told := strings.Contains(strings.Join(says(Next(w)), "\n"), "stays at waypoint waypoint, and does not move to b: NetworkPolicy shop/np keeps the pods of waypoint shop/b from Deployment shop/cart")
		if told != (want == "waypoint") {
			t.Errorf("where %s may call, it says %q", admitted, says(Next(w)))
		}
	}
}

// TestOtherClusters: of a Service that is bound with its Namespace, and that other clusters call, it is said that their waypoints are
// another matter. One that needs a waypoint itself is not planned for, because of policies there it is not known what they do.
func TestOtherClusters(t *testing.T) {
	const (
		global   = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop, labels: {istio.io/global: "true"}}, spec: {clusterIP: 10.96.0.11, selector: {app: web}, ports: [{name: http, port: 80}]}}`
		eastWest = `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: east-west, namespace: istio-system}, spec: {gatewayClassName: istio-east-west, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}`
	)
	for name, tc := range map[string]struct {
		more []string
		want bool
	}{"one cluster": {[]string{global}, false}, "several": {[]string{global, eastWest}, true}, "several, and it is of this one": {[]string{eastWest}, false}} {
		p := Make(two(tc.more...), Settings{}, nil)
		if got := slices.ContainsFunc(p.Notices, func(n Notice) bool { return n.Class == ClassClusters && n.On.Name == "web" }); got != tc.want {
			t.Errorf("%s: told %v", name, got)
		}
	}
}
