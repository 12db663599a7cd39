package mesh

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crowd is a namespace with so much in it that it is asked by index.
func crowd(t *testing.T, r *rand.Rand) []*Object {
	labels := func() map[string]any {
		out := map[string]any{}
		for _, key := range []string{"app", "version", "tier"} {
			if r.Intn(2) == 0 {
				out[key] = fmt.Sprint(r.Intn(4))
			}
		}
		return out
	}
	objects := []*Object{decoded(t, "v1", "Namespace", "", "shop", nil)}
	for i := range 3 * crowded {
		name := fmt.Sprint("app-", i)
		pod, err := Decode(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"namespace": "shop", "name": name, "labels": labels(),
			"ownerReferences": []any{map[string]any{"kind": "ReplicaSet", "name": fmt.Sprint(i % 5)}}}})
		if err != nil {
			t.Fatal(err)
		}
		kind := []string{"", "ExternalName"}[r.Intn(5)/4]
		target := map[string]any{"selector": map[string]any{"matchLabels": labels()}}
		if r.Intn(3) == 0 {
			target = map[string]any{"targetRefs": []any{map[string]any{"kind": "Service", "name": name}}}
		}
		objects = append(objects, pod,
			decoded(t, "v1", "Service", "shop", name, map[string]any{"selector": labels(), "type": kind}),
			decoded(t, "security.istio.io/v1", "AuthorizationPolicy", []string{"shop", "istio-system"}[i%2], name, target))
	}
	return objects
}

// checkSelection holds every answer against a look at everything.
func checkSelection(t *testing.T, s *Snapshot) {
	t.Helper()
	for _, w := range s.Workloads("shop") {
		var services, over []*Object
		for _, o := range s.List(Service, "shop") {
			if sel := o.Spec.(*ServiceSpec).Selector; len(sel) > 0 && !ExternalName(o) && subset(sel, w.Labels) {
				services = append(services, o)
			}
		}
		for _, ns := range []string{"istio-system", "shop"} {
			for _, o := range s.List(AuthorizationPolicy, ns) {
				if p := o.Spec.(*AuthorizationPolicySpec); len(p.TargetRefs) == 0 && subset(p.Selector.MatchLabels, w.Labels) {
					over = append(over, o)
				}
			}
		}
		if !slices.Equal(services, s.ServicesOf(w)) || !slices.Equal(over, s.PoliciesOver(w)) {
			t.Fatalf("%s: services %v, want %v; policies %v, want %v", w.Name, s.ServicesOf(w), services, s.PoliciesOver(w), over)
		}
		var alike, kin []*Workload
		for _, x := range s.Workloads("shop") {
			if subset(w.Labels, x.Labels) {
				alike = append(alike, x)
			}
			if x.Source.Owners[0] == w.Source.Owners[0] {
				kin = append(kin, x)
			}
		}
		if !slices.Equal(alike, s.Select("shop", w.Labels)) || !slices.Equal(kin, s.Siblings(w.Source)) {
			t.Fatalf("%s: selected %d workloads, want %d; %d siblings, want %d", w.Name, len(s.Select("shop", w.Labels)), len(alike), len(s.Siblings(w.Source)), len(kin))
		}
	}
}

func TestCrowdedNamespace(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	objects, updates := crowd(t, r), crowd(t, r)
	s := New(Options{}, objects...)
	checkSelection(t, s)
	for i, o := range updates {
		s = s.With(o)
		if i%10 == 0 { // so that indexes are remembered in between
			checkSelection(t, s)
		}
	}
	checkSelection(t, s.Without(objects[2]))
}

func TestWildcards(t *testing.T) {
	var objects []*Object
	for _, ns := range []string{"shop", "workshop", "bank"} {
		for _, name := range []string{"cart", "smart-cart", "pay"} {
			objects = append(objects, decoded(t, "v1", "Service", ns, name, nil))
		}
	}
	objects = append(objects, entry(t, "bank", "api", "api.example.com", "*.local"))
	s := New(Options{}, objects...)
	for _, pattern := range []string{
		"*", "*.local", "*.cluster.local", "*.svc.cluster.local", "*vc.cluster.local", "*.shop.svc.cluster.local", "*shop.svc.cluster.local",
		"*cart.shop.svc.cluster.local", "*.cart.shop.svc.cluster.local", "*-cart.bank.svc.cluster.local", "*.example.com", "*.com", "*.nowhere.svc.cluster.local",
	} {
		want := []string{}
		for _, o := range objects {
			if slices.ContainsFunc(s.HostsOf(o), func(h string) bool { return HostMatches(pattern, h) }) {
				want = append(want, o.String())
			}
		}
		got := keys(s.ServicesFor(pattern, "shop"))
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
}
