package mesh

import (
	"fmt"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestCut: what one end refuses for sure is refused, whatever addresses the other end admits.
func TestCut(t *testing.T) {
	const (
		admits  = "[{}]"
		refuses = "[]"
		perhaps = "[{%s: [{ipBlock: {cidr: 10.0.0.0/8}}]}]"
	)
	rules := func(text, peers string) string {
		if text == perhaps {
			return fmt.Sprintf(text, peers)
		}
		return text
	}
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
	for _, tc := range []struct {
		egress, ingress string
		by              string // "" where nothing stops it
		sure            bool
	}{
		{admits, admits, "", true},
		{refuses, admits, "out", true},
		{refuses, refuses, "out", true},
		{refuses, perhaps, "out", true},
		{admits, refuses, "in", true},
		{admits, perhaps, "in", false},
		{perhaps, admits, "out", false},
		{perhaps, perhaps, "out", false},
		{perhaps, refuses, "in", true},
	} {
		var objects []*Object
		for name, spec := range map[string]string{
			"out": "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: " + rules(tc.egress, "to") + "}",
			"in":  "{podSelector: {matchLabels: {app: cart}}, policyTypes: [Ingress], ingress: " + rules(tc.ingress, "from") + "}",
		} {
			objects = append(objects, read("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: "+name+", namespace: shop}, spec: "+spec+"}"))
		}
		s := New(Options{}, objects...)
		by, sure := s.Cut(Hop{From: s.Imagine("shop", map[string]string{"app": "web"}), To: s.Imagine("shop", map[string]string{"app": "cart"}), Port: 15008})
		var got string
		for _, o := range by {
			got += o.Name
		}
		if got != tc.by || sure != tc.sure {
			t.Errorf("egress %s and ingress %s: stopped by %q, sure %v", tc.egress, tc.ingress, got, sure)
		}
	}
}
