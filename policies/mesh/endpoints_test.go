package mesh

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestReadyEndpoints(t *testing.T) {
	const slice = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: NAME, namespace: shop, labels: {kubernetes.io/service-name: OF}}, endpoints: [EACH]}"
	type given struct{ name, of, endpoints string }
	for name, tc := range map[string]struct {
		slices []given
		ready  int
		known  bool
	}{
		"none":         {},
		"another's":    {slices: []given{{"a", "web", "{addresses: [10.0.0.1]}"}}},
		"an empty one": {slices: []given{{"a", "cart", ""}}, known: true},
		"none ready":   {slices: []given{{"a", "cart", "{addresses: [10.0.0.1], conditions: {ready: false}}"}}, known: true},
		"says nothing": {slices: []given{{"a", "cart", "{addresses: [10.0.0.1]}"}}, ready: 1, known: true},
		"one of two, and another slice": {slices: []given{
			{"a", "cart", "{addresses: [10.0.0.1], conditions: {ready: false}}, {addresses: [10.0.0.2], conditions: {ready: true}}"},
			{"b", "cart", "{addresses: [10.0.0.3], conditions: {ready: true}}"}}, ready: 2, known: true},
	} {
		read := func(text string) *Object {
			content := map[string]any{}
			if err := yaml.Unmarshal([]byte(text), &content); err != nil {
				t.Fatal(err)
			}
			o, err := Decode(content)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		objects := []*Object{read("{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop}, spec: {selector: {app: cart}}}")}
		for _, g := range tc.slices {
			objects = append(objects, read(strings.NewReplacer("NAME", g.name, "OF", g.of, "EACH", g.endpoints).Replace(slice)))
		}
		s := New(Options{}, objects...)
		if ready, known := s.ReadyEndpoints(s.Get(Service, "shop", "cart")); ready != tc.ready || known != tc.known {
			t.Errorf("%s: %d, %v", name, ready, known)
		}
	}
}
