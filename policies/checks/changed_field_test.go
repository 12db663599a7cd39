package checks

import (
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestChangedField: a finding about a change stands where the change does.
func TestChangedField(t *testing.T) {
	service := func(metadata, spec string) *mesh.Object {
		var content map[string]any
		if err := yaml.Unmarshal([]byte("{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: shop"+metadata+"}, spec: {"+spec+"}}"), &content); err != nil {
			t.Fatal(err)
		}
		o, err := mesh.Decode(content)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	const ports = "ports: [{name: http, port: 80}]"
	weight := func(n string) string {
		return ", labels: {istio.io/use-waypoint: a, istio.io/use-waypoint-canary: b}, annotations: {istio.io/use-waypoint-canary-weight: '" + n + "'}"
	}
	for name, c := range map[string]struct {
		old, now *mesh.Object
		want     string
	}{
		"new":           {nil, service("", ports), ""},
		"gone":          {service("", ports), nil, ""},
		"the waypoint":  {service(", labels: {istio.io/use-waypoint: a}", ports), service("", ports), "metadata.labels[istio.io/use-waypoint]"},
		"the canary":    {service(weight("5"), ports), service(", labels: {istio.io/use-waypoint: a}", ports), "metadata.labels[istio.io/use-waypoint-canary]"},
		"its weight":    {service(weight("5"), ports), service(weight("500"), ports), "metadata.annotations[istio.io/use-waypoint-canary-weight]"},
		"a port":        {service("", ports), service("", "ports: [{name: tcp, port: 80}]"), "spec.ports"},
		"the selector":  {service("", ports+", selector: {app: a}"), service("", ports+", selector: {app: b}"), "spec.selector"},
		"another label": {service("", ports), service(", labels: {team: a}", ports), "metadata.labels"},
	} {
		if got := changedField(&policies.Change{Old: c.old, New: c.now}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
