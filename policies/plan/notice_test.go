package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNoticesOfWhatLayDormant: what callers notice of routes and DestinationRules once there is a waypoint, and nothing where they
// notice nothing.
func TestNoticesOfWhatLayDormant(t *testing.T) {
	const (
		own    = "shop"
		cart   = "cart.shop.svc.cluster.local"
		to     = `route: [{destination: {host: ` + cart + `}}]`
		subset = `route: [{destination: {host: ` + cart + `, subset: a}}]`
		tls    = `trafficPolicy: {tls: {mode: SIMPLE}}`
	)
	shared := Settings{Default: Setting{Mode: Provision, Profile: Profile{Granularity: Shared, SharedNamespace: "edge"}}}
	vs := func(ns, http string) string {
		return `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: vs, namespace: ` + ns + `}, spec: {hosts: [` + cart + `], http: [` + http + `]}}`
	}
	dr := func(ns, spec string) string {
		return `{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: dr, namespace: ` + ns + `}, spec: {host: ` + cart + `, ` + spec + `}}`
	}
	route := func(kind, parent, rules string) string {
		return `{apiVersion: gateway.networking.k8s.io/v1, kind: ` + kind + `, metadata: {name: r, namespace: shop}, spec: {parentRefs: [{group: "", kind: Service, name: cart` + parent + `}], rules: ` + rules + `}}`
	}
	for name, tt := range map[string]struct {
		settings Settings
		with     []string
		want     []Class
	}{
		"a match on the path":               {with: []string{vs(own, `{match: [{uri: {prefix: /x}}], `+to+`}`)}, want: []Class{ClassNoCatchAll}},
		"and a route of all calls":          {with: []string{vs(own, `{match: [{uri: {prefix: /x}}], `+to+`}, {`+to+`}`)}},
		"all paths":                         {with: []string{vs(own, `{match: [{uri: {prefix: /}}], `+to+`}`)}},
		"all paths by an expression":        {with: []string{vs(own, `{match: [{uri: {regex: ".*"}}], `+to+`}`)}},
		"an empty match":                    {with: []string{vs(own, `{match: [{}], `+to+`}`)}},
		"all paths with a header":           {with: []string{vs(own, `{match: [{uri: {prefix: /}, headers: {a: {exact: b}}}], `+to+`}`)}, want: []Class{ClassNoCatchAll}},
		"this port":                         {with: []string{vs(own, `{match: [{port: 80}], `+to+`}`)}},
		"this port and a path":              {with: []string{vs(own, `{match: [{port: 80, uri: {prefix: /x}}], `+to+`}`)}, want: []Class{ClassNoCatchAll}},
		"labels of callers, which are lost": {with: []string{vs(own, `{match: [{sourceLabels: {a: b}}], `+to+`}`)}},
		"beside the waypoint":               {shared, []string{vs("edge", `{match: [{uri: {prefix: /x}}], `+subset+`}`)}, []Class{ClassNoCatchAll, ClassNoSubset}},
		"where no waypoint looks":           {with: []string{vs("edge", `{match: [{uri: {prefix: /x}}], `+subset+`}`)}},
		"a delegate of some paths": {with: []string{vs(own, `{match: [{uri: {prefix: /}}], delegate: {name: d}}`),
			`{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: d, namespace: shop}, spec: {http: [{match: [{uri: {prefix: /x}}], ` + subset + `}]}}`},
			want: []Class{ClassNoCatchAll, ClassNoSubset}},
		"a delegate of all paths": {with: []string{vs(own, `{match: [{uri: {prefix: /}}], delegate: {name: d}}`),
			`{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: d, namespace: shop}, spec: {http: [{` + to + `}]}}`}},
		"an HTTPRoute of some paths": {with: []string{route("HTTPRoute", ", port: 80", `[{matches: [{path: {type: PathPrefix, value: /api}}], backendRefs: [{name: cart, port: 80}]}]`)},
			want: []Class{ClassNoCatchAll}},
		"an HTTPRoute of all paths": {with: []string{route("HTTPRoute", "", `[{matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: cart, port: 80}]}]`)}},
		"an HTTPRoute of a method":  {with: []string{route("HTTPRoute", "", `[{matches: [{method: GET}], backendRefs: [{name: cart, port: 80}]}]`)}, want: []Class{ClassNoCatchAll}},
		"an HTTPRoute of all":       {with: []string{route("HTTPRoute", "", `[{backendRefs: [{name: cart, port: 80}]}]`)}},
		"a GRPCRoute of a service":  {with: []string{route("GRPCRoute", "", `[{matches: [{method: {service: a.B}}], backendRefs: [{name: cart, port: 80}]}]`)}, want: []Class{ClassNoCatchAll}},
		"two, one of all calls": {with: []string{vs(own, `{match: [{uri: {prefix: /x}}], `+to+`}`),
			route("HTTPRoute", "", `[{backendRefs: [{name: cart, port: 80}]}]`)}},
		"a subset that is there":         {with: []string{vs(own, `{`+subset+`}`), dr(own, `subsets: [{name: a, labels: {v: a}}]`)}},
		"a subset where nobody looks":    {shared, []string{vs(own, `{`+subset+`}`), dr(own, `subsets: [{name: a, labels: {v: a}}]`), dr("edge", `trafficPolicy: {}`)}, []Class{ClassNoSubset}},
		"a subset for some callers only": {with: []string{vs(own, `{`+subset+`}`), dr(own, `workloadSelector: {matchLabels: {a: b}}, subsets: [{name: a, labels: {v: a}}]`)}, want: []Class{ClassNoSubset}},
		"TLS":                            {with: []string{dr(own, tls)}, want: []Class{ClassDoubleTLS}},
		"TLS at a port":                  {with: []string{dr(own, `trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]}`)}, want: []Class{ClassDoubleTLS}},
		"TLS of a subset that is sent to": {with: []string{vs(own, `{`+subset+`}`), dr(own, `subsets: [{name: a, labels: {v: a}, `+tls+`}]`)},
			want: []Class{ClassDoubleTLS}},
		"TLS of a subset that is not":                   {with: []string{dr(own, `subsets: [{name: a, labels: {v: a}, `+tls+`}]`)}},
		"TLS beside the waypoint":                       {shared, []string{dr("edge", tls)}, []Class{ClassDoubleTLS}},
		"TLS where no waypoint looks":                   {with: []string{dr("edge", tls)}},
		"TLS of Istio's own, as always":                 {with: []string{dr(own, `trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}`)}},
		"a Service that would take the waypoint's pods": {Settings{Default: Setting{Profile: Profile{Name: "p", Labels: map[string]string{"app": "cart"}}}}, nil, []Class{ClassEndpoint}},
		"one that means them":                           {Settings{Default: Setting{Profile: Profile{Name: "p", Labels: map[string]string{"team": "a"}}}}, nil, nil},
	} {
		p := Make(two(tt.with...), tt.settings, nil)
		if len(p.Waypoints) == 0 {
			t.Fatalf("%s: no waypoint: %v", name, p.Blocked)
		}
		var got []Class
		for _, n := range p.Notices {
			if n.On.Name == "cart" && n.On.Namespace == "shop" && n.Class != ClassAlso && n.Class != ClassPath {
				got = append(got, n.Class)
				if !strings.Contains(n.Why, ": ") || !strings.HasSuffix(n.Why, ".") {
					t.Errorf("%s: not consequence, cause and remedy: %q", name, n.Why)
				}
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s%v", name, d, p.Notices)
		}
	}
}

// TestDelegatesOfDelegates: Istio knows one level of delegation. What delegates to itself, as only Istio's webhook keeps out, is followed no
// further.
func TestDelegatesOfDelegates(t *testing.T) {
	const (
		root = `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: root, namespace: shop}, spec: {hosts: [cart.shop.svc.cluster.local], http: [{delegate: {name: d}}]}}`
		self = `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: d, namespace: shop}, spec: {http: [{delegate: {name: d}}]}}`
	)
	if p := Make(two(root, self), onlyShop, nil); len(p.Waypoints) != 2 {
		t.Errorf("%d waypoints", len(p.Waypoints))
	}
}
