//go:build cluster

package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/test/cluster"
)

// typed are fields of a profile that become fields of pods as they are: each with all that it can have.
var typed = map[string]string{
	"resources": `
limits: {cpu: "2", memory: 1Gi, ephemeral-storage: 1Gi, example.com/device: "2", hugepages-2Mi: 4Mi}
requests: {cpu: 200m, memory: 200Mi, ephemeral-storage: 1Mi, example.com/device: "2", hugepages-2Mi: 4Mi}
`,
	"topologySpreadConstraints": `
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: DoNotSchedule
  minDomains: 2
  nodeAffinityPolicy: Honor
  nodeTaintsPolicy: Ignore
  matchLabelKeys: [pod-template-hash]
  labelSelector: {matchLabels: {team: mesh}, matchExpressions: [{key: tier, operator: In, values: [a, b]}, {key: other, operator: Exists}]}
- {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway}
`,
	"tolerations": `
- {key: pool, operator: Equal, value: mesh, effect: NoExecute, tolerationSeconds: 30}
- {key: other, operator: Exists, effect: NoSchedule}
- {operator: Exists}
`,
	"nodeSelector": `{pool: mesh, kubernetes.io/os: linux}`,
	"affinity": `
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
    - matchExpressions: [{key: pool, operator: In, values: [mesh]}, {key: cores, operator: Gt, values: ["4"]}, {key: spot, operator: DoesNotExist}]
    - matchFields: [{key: metadata.name, operator: In, values: [node-1]}]
  preferredDuringSchedulingIgnoredDuringExecution:
  - {weight: 10, preference: {matchExpressions: [{key: pool, operator: NotIn, values: [edge]}]}}
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
  - {topologyKey: zone, labelSelector: {matchLabels: {app: a}}, namespaces: [shop], matchLabelKeys: [pod-template-hash], mismatchLabelKeys: [tier]}
  preferredDuringSchedulingIgnoredDuringExecution:
  - {weight: 1, podAffinityTerm: {topologyKey: zone, namespaceSelector: {matchExpressions: [{key: a, operator: NotIn, values: [b]}]}}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
  - {weight: 100, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchExpressions: [{key: app, operator: Exists}]}}}
`,
	"priorityClassName": `mesh-high`,
}

// texts and numbers are what takes the place of each value, one after another. Other values of the same field do besides.
var (
	texts = []any{"", "a b", "A_b", "Foo", "-x", "x-", "example.com/x", "example.com/x/y", "kubernetes.io/x", "requests.example.com/x", "/x", "x/", "0", "-1", "1", "500m", "1.5", "3Mi", "ScheduleAnyway", "DoNotSchedule", "Honor", "In", "Exists",
		"Equal", "Lt", "NoSchedule", "tier", "pod-template-hash", "kubernetes.io/hostname", "metadata.name", "hugepages-", "hugepages-3", "hugepages-1Gi", strings.Repeat("x", 64), strings.Repeat("x", 254)}
	numbers = []any{-1, 0, 1, 2, 100, 101, 1 << 30}
)

// mutants calls f with each value that differs from v in one place: where a value is another one, a field is missing or renamed, or an item of a
// list is missing or there twice.
func mutants(v any, f func(any)) {
	switch v := v.(type) {
	case string:
		for _, o := range texts {
			f(o)
		}
	case float64:
		for _, o := range numbers {
			f(o)
		}
	case map[string]any:
		f(map[string]any{})
		for _, key := range slices.Sorted(maps.Keys(v)) {
			without := maps.Clone(v)
			delete(without, key)
			f(without)
			for _, name := range texts {
				if _, ok := v[name.(string)]; !ok {
					renamed := maps.Clone(without)
					renamed[name.(string)] = v[key]
					f(renamed)
				}
			}
			mutants(v[key], func(o any) {
				c := maps.Clone(v)
				c[key] = o
				f(c)
			})
		}
	case []any:
		f([]any{})
		for i := range v {
			f(slices.Delete(slices.Clone(v), i, i+1))
			f(append(slices.Clone(v), v[i]))
			mutants(v[i], func(o any) {
				c := slices.Clone(v)
				c[i] = o
				f(c)
			})
		}
	}
}

// stricter is what we refuse and an API server stores, of a Deployment that gets no pods then, and why.
var stricter = map[string]string{
	"of keys that are there once":    "pods with it are refused",
	"without what labelSelector has": "pods with it are refused",
}

// TestMutants: of whatever typed fields say an API server refuses what we refuse, and takes what we do not.
func TestMutants(t *testing.T) {
	c := cluster.Start(t)
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	deployments := client.Resource(appsv1.SchemeGroupVersion.WithResource("deployments")).Namespace("default")
	asked, refused, wrong := map[string]int{}, map[string]int{}, 0
	for _, name := range slices.Sorted(maps.Keys(typed)) {
		var whole any
		if err := yaml.Unmarshal([]byte(typed[name]), &whole); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		ask := func(value any) {
			raw, err := json.Marshal(map[string]any{name: value})
			if err != nil {
				t.Fatal(err)
			}
			p := &v1alpha1.WaypointProfile{}
			if wrong > 30 || json.Unmarshal(raw, &p.Spec) != nil {
				return // what is no such field at all
			}
			if raw, err = json.Marshal(p.Spec); err != nil {
				t.Fatal(err)
			}
			if seen[string(raw)] {
				return // but for fields that there are not
			}
			seen[string(raw)] = true
			asked[name]++
			faults := p.Validate()
			if len(faults) == 0 {
				faults = parameters.Check(p)
			}
			made, err := deployed(&p.Spec)
			if err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			o := &unstructured.Unstructured{Object: made}
			o.SetNamespace("default")
			o.SetOwnerReferences(nil)
			_, err = deployments.Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "istiod", Force: true, DryRun: []string{metav1.DryRunAll}})
			if err != nil {
				refused[name]++
			}
			if (err == nil) != (len(faults) == 0) && !excused(faults) {
				wrong++
				t.Errorf("%s: the API server says %v, we say %v", raw, err, faults)
			}
		}
		ask(whole)
		if refused[name] > 0 {
			t.Fatalf("%s is refused as it stands", name)
		}
		mutants(whole, ask)
	}
	for name := range typed {
		if asked[name] < 20 || refused[name] == 0 || refused[name] == asked[name] {
			t.Errorf("of %d mutants of %s %d were refused", asked[name], name, refused[name])
		}
	}
	t.Log(fmt.Sprint("asked ", asked, ", refused ", refused))
}

func excused(faults []v1alpha1.FieldError) bool {
	return len(faults) > 0 && !slices.ContainsFunc(faults, func(f v1alpha1.FieldError) bool {
		for want := range stricter {
			if strings.Contains(f.Want, want) {
				return false
			}
		}
		return true
	})
}
