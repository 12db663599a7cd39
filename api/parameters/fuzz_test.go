package parameters_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
)

// wholePatch has something at each place of a Deployment at which a patch is likely to have something, or that is looked at.
const wholePatch = `
apiVersion: apps/v1
kind: Deployment
metadata: {labels: {team: mesh}, annotations: {example.com/a: b}}
spec:
  minReadySeconds: 5
  selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: waypoint}, matchExpressions: []}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 25%}}
  template:
    metadata: {labels: {team: mesh}, annotations: {example.com/a: b}}
    spec:
      serviceAccountName: waypoint
      terminationGracePeriodSeconds: 60
      securityContext: {runAsUser: 1}
      volumes: [{name: a, emptyDir: {}}, {name: go-proxy-data, $patch: delete}]
      containers:
      - name: istio-proxy
        image: x
        env: [{name: A, value: b}]
        ports: [{containerPort: 1234, name: a}]
        volumeMounts: [{name: a, mountPath: /a}]
        resources: {requests: {cpu: 200m}, limits: {cpu: "2"}}
        readinessProbe: {httpGet: {port: 1}}
      - {name: other, image: x}
      initContainers: [{name: first, image: x, env: [{name: A, value: b}]}]
      tolerations: [{key: a, operator: Exists}]
      nodeSelector: {a: b}
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: Exists}]}}]
      affinity:
        nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b]}]}]}, preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: Exists}]}}]}
        podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone, labelSelector: {matchLabels: {a: b}}}]}
        podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone}}]}
`

// instead are what stands, one after another, at each place of a patch.
var instead = []string{`null`, `0`, `-1`, `""`, `"x"`, `[]`, `{}`, `[null]`, `{"$patch": "delete"}`, `[{"$patch": "replace"}]`, `{"$patch": null}`}

// others calls f with a JSON value in which each place in turn holds something else.
func others(value any, with any, f func(any)) {
	f(with)
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			others(v[key], with, func(o any) {
				c := maps.Clone(v)
				c[key] = o
				f(c)
			})
		}
	case []any:
		for i := range v {
			others(v[i], with, func(o any) {
				c := slices.Clone(v)
				c[i] = o
				f(c)
			})
		}
	}
}

// TestAnythingAnywhere: whatever stands at any place of a patch is judged, and nothing else happens.
func TestAnythingAnywhere(t *testing.T) {
	var whole any
	if err := yaml.Unmarshal([]byte(wholePatch), &whole); err != nil {
		t.Fatal(err)
	}
	const spec = `{"resources": {"requests": {"cpu": "1"}}, "labels": {"team": "mesh"}, "autoscaling": {"minReplicas": 2, "maxReplicas": 3}}`
	asked, refused := 0, 0
	for _, text := range instead {
		var with any
		if err := json.Unmarshal([]byte(text), &with); err != nil {
			t.Fatal(err)
		}
		others(whole, with, func(patch any) {
			raw, err := json.Marshal(patch)
			if err != nil {
				t.Fatal(err)
			}
			asked++
			refused += judged(t, spec, raw)
		})
	}
	if asked < 1000 || refused < asked/2 {
		t.Errorf("of %d patches %d were refused", asked, refused)
	}
}

// judged asks about a profile with a patch, and is 1 where it is refused. What is not refused can be rendered and deployed.
func judged(t *testing.T, spec string, patch []byte) int {
	t.Helper()
	p := &v1alpha1.WaypointProfile{}
	if err := json.Unmarshal([]byte(spec), &p.Spec); err != nil {
		t.Fatal(err)
	}
	p.Spec.Patch = &runtime.RawExtension{Raw: patch}
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s with patch %s: %v", spec, patch, r)
		}
	}()
	wrong := parameters.Check(p)
	_, err := parameters.Deployed(&p.Spec)
	if len(wrong) > 0 {
		for _, w := range wrong {
			if !strings.HasPrefix(w.Field, "spec.") || w.Want == "" || w.Got == "" {
				t.Errorf("%s with patch %s: what is wrong is not said: %+v", spec, patch, w)
			}
		}
		return 1
	}
	if err != nil {
		t.Errorf("%s with patch %s is taken and cannot be rendered: %v", spec, patch, err)
	}
	return 0
}

// FuzzCheck: no profile stops whoever judges it.
func FuzzCheck(f *testing.F) {
	for _, name := range []string{"render.txtar", "refused.txtar"} {
		for _, file := range files(f, name) {
			spec, _, _ := strings.Cut(string(file.Data), "=>\n")
			f.Add(spec)
		}
	}
	for _, text := range instead {
		for _, at := range []string{"", "spec", "metadata", "spec.selector", "spec.template", "spec.template.spec.containers"} {
			patch := text
			for _, key := range slices.Backward(strings.Split(at, ".")) {
				if key != "" {
					patch = fmt.Sprintf(`{%q: %s}`, key, patch)
				}
			}
			f.Add(`{"patch": ` + patch + `}`)
		}
	}
	f.Fuzz(func(t *testing.T, spec string) {
		p := &v1alpha1.WaypointProfile{}
		if err := yaml.Unmarshal([]byte(spec), &p.Spec); err != nil || len(p.Validate()) > 0 {
			return
		}
		wrong := parameters.Check(p)
		if _, err := parameters.Render(&p.Spec); err != nil && len(wrong) == 0 {
			t.Errorf("it is taken and cannot be rendered: %v", err)
		}
	})
}
