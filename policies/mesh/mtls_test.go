package mesh_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// decode reads the documents of a YAML stream.
func decode(t testing.TB, text string) []*mesh.Object {
	t.Helper()
	objects, err := scenario.Objects([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// peer writes a PeerAuthentication; spec is in flow style.
func peer(key, spec string) string {
	var ns, name string
	if _, err := fmt.Sscanf(key, "%s %s", &ns, &name); err != nil {
		panic(err)
	}
	return fmt.Sprintf("---\n{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: %s, namespace: %s}, spec: %s}\n", name, ns, spec)
}

const cart = `selector: {matchLabels: {app: cart}}`

const static = "istio-system/istio_converted_static_strict"

var (
	meshStrict = peer("istio-system default", "{mtls: {mode: STRICT}}")
	ownPolicy  = "shop/converted_peer_authentication_cart"
	byPorts    = func(strict bool, ports map[int32]bool) mesh.MTLS {
		return mesh.MTLS{Strict: strict, Ports: ports, Policies: []string{ownPolicy}}
	}
	allStrict      = mesh.MTLS{Strict: true, Policies: []string{static}}
	nothing        = mesh.MTLS{}
	dangling       = mesh.MTLS{Dangling: true, Policies: []string{ownPolicy}}
	workloadPA     = func(rest string) string { return peer("shop cart", "{"+cart+", "+rest+"}") }
	namespacePA    = func(spec string) string { return peer("shop default", spec) }
	portPermissive = "portLevelMtls: {8080: {mode: PERMISSIVE}}"
	portDisable    = "portLevelMtls: {8080: {mode: DISABLE}}"
	portStrict     = "portLevelMtls: {8080: {mode: STRICT}}"
	exceptFor80    = byPorts(true, map[int32]bool{8080: false})
	only80         = byPorts(false, map[int32]bool{8080: true})
)

// effectiveMTLS has every combination of mesh, namespace, workload and port that decides, and what
// only Istio's code tells (ambient/authorization.go convertPeerAuthentication).
var effectiveMTLS = []struct {
	name string
	in   string
	want mesh.MTLS
}{
	{"nothing at all", "", nothing},
	{"mesh STRICT", meshStrict, allStrict},
	{"mesh STRICT, namespace PERMISSIVE", meshStrict + namespacePA("{mtls: {mode: PERMISSIVE}}"), nothing},
	{"mesh STRICT, namespace UNSET", meshStrict + namespacePA("{mtls: {mode: UNSET}}"), allStrict},
	{"mesh STRICT, namespace empty", meshStrict + namespacePA("{}"), allStrict},
	{"mesh STRICT, namespace DISABLE", meshStrict + namespacePA("{mtls: {mode: DISABLE}}"), nothing},

	{"workload STRICT, port PERMISSIVE", workloadPA("mtls: {mode: STRICT}, " + portPermissive), exceptFor80},
	{"workload STRICT, port DISABLE", workloadPA("mtls: {mode: STRICT}, " + portDisable), exceptFor80},
	{"workload STRICT below STRICT, port PERMISSIVE", meshStrict + workloadPA("mtls: {mode: STRICT}, "+portPermissive), exceptFor80},
	{"workload STRICT, port STRICT", workloadPA("mtls: {mode: STRICT}, " + portStrict), allStrict},
	{"workload PERMISSIVE, port STRICT", workloadPA("mtls: {mode: PERMISSIVE}, " + portStrict), only80},
	{"workload DISABLE, port STRICT", workloadPA("mtls: {mode: DISABLE}, " + portStrict), only80},
	{"workload PERMISSIVE, port PERMISSIVE", meshStrict + workloadPA("mtls: {mode: PERMISSIVE}, "+portPermissive), nothing},
	{"workload UNSET below STRICT, port PERMISSIVE", meshStrict + workloadPA(portPermissive), exceptFor80},
	{"workload UNSET below STRICT, ports PERMISSIVE and DISABLE", meshStrict + workloadPA("portLevelMtls: {8080: {mode: PERMISSIVE}, 9090: {mode: DISABLE}}"),
		byPorts(true, map[int32]bool{8080: false, 9090: false})},
	{"p11: workload UNSET below STRICT, port DISABLE only", meshStrict + workloadPA(portDisable), allStrict},
	{"workload UNSET, port STRICT", workloadPA(portStrict), only80},
	{"workload UNSET, port PERMISSIVE", workloadPA(portPermissive), nothing},
	{"workload UNSET below namespace STRICT, port PERMISSIVE", namespacePA("{mtls: {mode: STRICT}}") + workloadPA(portPermissive), exceptFor80},
	{"p12: mesh STRICT, namespace UNSET, workload UNSET, port PERMISSIVE", meshStrict + namespacePA("{}") + workloadPA(portPermissive), dangling},
	{"p12 with workload STRICT", meshStrict + namespacePA("{}") + workloadPA("mtls: {mode: STRICT}, "+portPermissive), exceptFor80},

	{"p10: namespace STRICT, workload DISABLE", namespacePA("{mtls: {mode: STRICT}}") + workloadPA("mtls: {mode: DISABLE}"), nothing},
	{"p13: root with a selector", peer("istio-system cart", "{"+cart+", mtls: {mode: STRICT}}"), nothing},
	{"p13: root with an empty selector", peer("istio-system all", "{selector: {}, mtls: {mode: STRICT}}"), nothing},
	{"namespace with an empty selector", peer("shop all", "{selector: {}, mtls: {mode: STRICT}}"), allStrict},

	// The mesh's STRICT makes istiod skip STRICT ports even where the workload is PERMISSIVE.
	{"mesh STRICT, workload PERMISSIVE, port STRICT", meshStrict + workloadPA("mtls: {mode: PERMISSIVE}, "+portStrict), dangling},
	{"mesh STRICT, namespace PERMISSIVE, workload PERMISSIVE, port STRICT", meshStrict + namespacePA("{mtls: {mode: PERMISSIVE}}") + workloadPA("mtls: {mode: PERMISSIVE}, "+portStrict), only80},
	// An empty selector counts for what the workload refers to, and not for what is generated.
	{"namespace STRICT by an empty selector, workload UNSET, port PERMISSIVE", peer("shop all", "{selector: {}, mtls: {mode: STRICT}}") + workloadPA(portPermissive), dangling},
	{"selects other pods", peer("shop pay", "{selector: {matchLabels: {app: pay}}, mtls: {mode: STRICT}}"), nothing},
}

func TestEffectiveMTLS(t *testing.T) {
	for _, tt := range effectiveMTLS {
		t.Run(tt.name, func(t *testing.T) {
			s := mesh.New(mesh.Options{}, decode(t, tt.in)...)
			if diff := cmp.Diff(tt.want, s.EffectiveMTLS("shop", map[string]string{"app": "cart"})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStrictOn(t *testing.T) {
	m := mesh.MTLS{Strict: true, Ports: map[int32]bool{8080: false}}
	if m.StrictOn(8080) || !m.StrictOn(9090) {
		t.Errorf("%+v is strict on 8080: %v, on 9090: %v", m, m.StrictOn(8080), m.StrictOn(9090))
	}
}

func TestTheOldestPeerAuthenticationCounts(t *testing.T) {
	at := func(name, mode, created string) string {
		return fmt.Sprintf("---\n{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: %s, namespace: shop, creationTimestamp: %q}, spec: {mtls: {mode: %s}}}\n", name, created, mode)
	}
	for in, want := range map[string]string{
		at("a", "STRICT", "2026-01-02T00:00:00Z") + at("b", "PERMISSIVE", "2026-01-01T00:00:00Z"): "b",
		at("a", "STRICT", "2026-01-01T00:00:00Z") + at("b", "PERMISSIVE", "2026-01-01T00:00:00Z"): "a",
		at("a", "STRICT", "") + at("b", "PERMISSIVE", "2026-01-01T00:00:00Z"):                     "b",
		at("b", "STRICT", "") + at("a", "PERMISSIVE", ""):                                         "a",
	} {
		s := mesh.New(mesh.Options{}, decode(t, in)...)
		if got := s.Peers("shop", nil, false).Namespace.Name; got != want {
			t.Errorf("%s: %s counts, want %s", in, got, want)
		}
	}
}

// TestComposed is what sidecars make of the same: no port is overlooked, nothing dangles, and the
// root namespace's `selector: {}` is for the whole mesh.
func TestComposed(t *testing.T) {
	tests := []struct {
		name   string
		in     string
		strict bool
		ports  map[int32]bool
	}{
		{"a lone DISABLE", peer("istio-system default", "{mtls: {mode: STRICT}}") + peer("shop cart", "{"+cart+", portLevelMtls: {8080: {mode: DISABLE}}}"), true, map[int32]bool{8080: false}},
		{"p12", peer("istio-system default", "{mtls: {mode: STRICT}}") + peer("shop default", "{}") + peer("shop cart", "{"+cart+", portLevelMtls: {8080: {mode: PERMISSIVE}}}"), true, map[int32]bool{8080: false}},
		{"root with an empty selector", peer("istio-system all", "{selector: {}, mtls: {mode: STRICT}}"), true, nil},
		{"root with a selector", peer("istio-system cart", "{"+cart+", mtls: {mode: STRICT}}"), false, nil},
	}
	for _, tt := range tests {
		m := mesh.New(mesh.Options{}, decode(t, tt.in)...).Peers("shop", map[string]string{"app": "cart"}, true).Composed()
		if m.Strict != tt.strict || !maps.Equal(m.Ports, tt.ports) {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
}
