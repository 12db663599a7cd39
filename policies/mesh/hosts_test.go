package mesh

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func decoded(t *testing.T, apiVersion, kind, ns, name string, spec map[string]any) *Object {
	t.Helper()
	o, err := Decode(map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"namespace": ns, "name": name}, "spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func entry(t *testing.T, ns, name string, hosts ...any) *Object {
	return decoded(t, "networking.istio.io/v1", "ServiceEntry", ns, name, map[string]any{"hosts": hosts})
}

func keys(objects []*Object) []string {
	out := []string{}
	for _, o := range objects {
		out = append(out, o.String())
	}
	return out
}

func TestServicesFor(t *testing.T) {
	objects := []*Object{
		decoded(t, "v1", "Service", "shop", "cart", map[string]any{}),
		entry(t, "shop", "cart", "cart.shop.svc.cluster.local"),
		entry(t, "shop", "api", "api.example.com"),
		entry(t, "bank", "wild", "*.example.com"),
		entry(t, "bank", "api", "api.example.com"),
	}
	for _, c := range []struct {
		host, ns string
		want     []string
	}{
		{"cart", "shop", []string{"Service shop/cart"}},
		{"cart", "bank", []string{}},
		{"cart.shop.svc.cluster.local", "bank", []string{"Service shop/cart"}},
		{"api.example.com", "shop", []string{"ServiceEntry shop/api"}},
		{"api.example.com", "bank", []string{"ServiceEntry bank/api"}},
		{"api.example.com", "web", []string{"ServiceEntry bank/api"}},
		{"other.example.com", "shop", []string{"ServiceEntry bank/wild"}},
		{"a.b.example.com", "shop", []string{"ServiceEntry bank/wild"}},
		{"example.com", "shop", []string{}},
		{"*.shop.svc.cluster.local", "bank", []string{"Service shop/cart", "ServiceEntry shop/cart"}},
	} {
		if diff := cmp.Diff(c.want, keys(New(Options{}, objects...).ServicesFor(c.host, c.ns))); diff != "" {
			t.Errorf("%s from %s (-want +got):\n%s", c.host, c.ns, diff)
		}
	}
}

// TestHostIndex holds that a Snapshot made step by step answers like one made at once.
func TestHostIndex(t *testing.T) {
	api, wild := entry(t, "shop", "api", "api.example.com"), entry(t, "bank", "wild", "*.example.com")
	rule := decoded(t, "networking.istio.io/v1", "DestinationRule", "shop", "api", map[string]any{"host": "*.example.com"})
	all := New(Options{}, api, wild, rule)
	stepwise := New(Options{}).With(rule).With(wild).With(entry(t, "shop", "api", "gone.example.org")).With(api)
	any := func(*Object) bool { return true }
	for _, s := range []*Snapshot{all, stepwise} {
		if got := keys(s.ServicesFor("api.example.com", "web")); !cmp.Equal(got, []string{"ServiceEntry shop/api"}) {
			t.Errorf("api.example.com is %v", got)
		}
		if got := keys(s.ServicesFor("gone.example.org", "web")); len(got) > 0 {
			t.Errorf("gone.example.org is still %v", got)
		}
		if got := keys(s.DestinationRulesFor(api, "shop", any)); !cmp.Equal(got, []string{"DestinationRule shop/api"}) {
			t.Errorf("the rules for api are %v", got)
		}
		if got := keys(s.Without(api).ServicesFor("api.example.com", "web")); !cmp.Equal(got, []string{"ServiceEntry bank/wild"}) {
			t.Errorf("without the entry, api.example.com is %v", got)
		}
	}
}

func TestClients(t *testing.T) {
	namespace := func(name string, labels map[string]any) *Object {
		o, err := Decode(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels}})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	s := New(Options{}, namespace("shop", map[string]any{"istio.io/dataplane-mode": "ambient"}), namespace("legacy", map[string]any{"istio-injection": "enabled"}),
		namespace("plain", nil), entry(t, "shop", "api", "api.example.com"), entry(t, "elsewhere", "api", "api.example.com"))
	want := &Clients{Ambient: map[string]bool{"shop": true}, Sidecar: map[string]bool{"legacy": true}, Unknown: map[string]bool{"elsewhere": true}}
	if diff := cmp.Diff(want, s.Clients()); diff != "" {
		t.Errorf("clients (-want +got):\n%s", diff)
	}
	if got := s.With(namespace("legacy", nil)).Clients().Sidecar; len(got) > 0 {
		t.Errorf("after the label is gone, sidecars are in %v", got)
	}
}
