package webhook

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// listening finds listeners of Gateways that speak plainly, a class that is none of those given, and fails where there is no listener.
func listening() *policies.Check {
	return &policies.Check{ID: "test/listening", Title: "t", Severity: "high", Kinds: []mesh.Kind{mesh.Gateway}, Doc: "d", Remedy: "r", Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.GatewayBody).Spec
		for i, l := range spec.Listeners {
			if l.Protocol == "HTTP" {
				p.Report(policies.Finding{Field: fmt.Sprintf("spec.listeners[%d]", i), Message: "it is plain: listener on port " + fmt.Sprint(l.Port) + "."})
			}
		}
		for _, with := range [][]string{{"", "istio"}, {"gold", "gold"}} {
			if spec.GatewayClassName != with[1] {
				p.Report(policies.Finding{Field: "spec.gatewayClassName", Message: "it is another class: " + spec.GatewayClassName + ".", Params: []string{with[0]}})
			}
		}
		if len(spec.Listeners) == 0 {
			p.Fail("there is no listener")
		}
	}}
}

// TestNewly: of an update only what it brings is told, wherever it stands and whatever it takes the place of.
func TestNewly(t *testing.T) {
	gateway := func(class, listeners string) *mesh.Object {
		o, err := mesh.Decode(content(t, "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g, namespace: shop}, spec: {gatewayClassName: "+class+", listeners: ["+listeners+"]}}"))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	const (
		plain = "{name: a, port: 80, protocol: HTTP}"
		other = "{name: b, port: 81, protocol: HTTP}"
		twin  = "{name: c, port: 80, protocol: HTTP}"
		good  = "{name: d, port: 443, protocol: TLS}"
	)
	const first, second = "spec.listeners[0]: it is plain: listener on port ", "spec.listeners[1]: it is plain: listener on port "
	for name, c := range map[string]struct {
		was, is *mesh.Object
		want    []string
	}{
		"nothing about it":                {gateway("istio", plain), gateway("istio", plain), nil},
		"a good one before it":            {gateway("istio", plain), gateway("istio", good+","+plain), nil},
		"one in its place":                {gateway("istio", plain), gateway("istio", other+","+good), []string{first + "81."}},
		"one before it":                   {gateway("istio", plain), gateway("istio", other+","+plain), []string{first + "81."}},
		"one like it":                     {gateway("istio", plain), gateway("istio", plain+","+twin), []string{second + "80."}},
		"one of two goes":                 {gateway("istio", plain+","+other), gateway("istio", other), nil},
		"a class that nobody wants":       {gateway("istio", good), gateway("tin", good), []string{"spec.gatewayClassName: it is another class: tin. []", "spec.gatewayClassName: it is another class: tin. [gold]"}},
		"a class that one did not want":   {gateway("gold", good), gateway("istio", good), []string{"spec.gatewayClassName: it is another class: istio. [gold]"}},
		"the class, as it was":            {gateway("gold", good), gateway("gold", good+","+plain), []string{second + "80."}},
		"what could not be found out":     {gateway("gold", ""), gateway("gold", ""), []string{"failed"}},
		"what was not found out before":   {gateway("gold", ""), gateway("gold", plain), []string{first + "80."}},
		"what is not found out from here": {gateway("gold", plain), gateway("gold", ""), []string{"failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			check := listening()
			book := rulebookOf(t, []*policies.Check{check}, nil)
			change := &change{book: book, old: c.was, new: c.is}
			s := snapshot(t, shop)
			found := ask([]*policies.Check{check}, policies.NewView(s.With(c.is)), c.is)
			var got []string
			for _, f := range newly(change, policies.NewView(s.With(c.was)), found) {
				text := f.Field + ": " + f.Message
				switch {
				case f.Failed:
					text = "failed"
				case f.Params != nil:
					text += fmt.Sprintf(" %s", f.Params)
				}
				got = append(got, text)
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestElements: fields as messages name them.
func TestElements(t *testing.T) {
	for field, want := range map[string][]string{
		"":                                       nil,
		"spec":                                   {"spec"},
		"spec.listeners[12].port":                {"spec", "listeners", "12", "port"},
		"metadata.labels[istio.io/use-waypoint]": {"metadata", "labels", "istio.io/use-waypoint"},
		"spec.rules[0].from[1].source":           {"spec", "rules", "0", "from", "1", "source"},
		"spec.modules[a":                         {"spec", "modules", "a"},
	} {
		if diff := cmp.Diff(want, elements(field)); diff != "" {
			t.Errorf("%q: -want +got:\n%s", field, diff)
		}
	}
}
