package parameters_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
)

func files(t testing.TB, name string) []txtar.File {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + name)
	if err != nil || len(a.Files) == 0 {
		t.Fatalf("%s: %v, %d files", name, err, len(a.Files))
	}
	return a.Files
}

func profile(t *testing.T, spec string) *v1alpha1.WaypointProfile {
	t.Helper()
	p := &v1alpha1.WaypointProfile{}
	if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
		t.Fatal(err)
	}
	if wrong := p.Validate(); len(wrong) > 0 {
		t.Fatalf("the profile is not well formed: %v", wrong)
	}
	return p
}

// TestRender: each profile with the data that it gives, below it.
func TestRender(t *testing.T) {
	for _, f := range files(t, "render.txtar") {
		spec, want, _ := strings.Cut(string(f.Data), "=>\n")
		p := profile(t, spec)
		if wrong := parameters.Check(p); len(wrong) > 0 {
			t.Errorf("%s: %v", f.Name, wrong)
		}
		got, err := parameters.Render(&p.Spec)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		wanted := map[string]string{}
		if err := yaml.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
		if stamp := parameters.StampOf(got); (stamp == "") != (len(got) == 0) {
			t.Errorf("%s: the stamp is %q", f.Name, stamp)
		}
	}
}

// TestRefused: what istiod or the API server would refuse is found at the field that the first line names, and
// nothing else is.
func TestRefused(t *testing.T) {
	for _, f := range files(t, "refused.txtar") {
		first, spec, _ := strings.Cut(string(f.Data), "\n")
		want := strings.TrimPrefix(first, "# ")
		got := parameters.Check(profile(t, spec))
		if len(got) != 1 || got[0].Field != want {
			t.Errorf("%s: %v, want one error at %s", f.Name, got, want)
		}
	}
}

// TestStamp: other parameters have another stamp, of whichever object they are, and what is no parameter changes none.
func TestStamp(t *testing.T) {
	seen := map[string]string{}
	for _, spec := range []string{
		"replicas: 2", "replicas: 3", "disruptionBudget: {minAvailable: 1}", "disruptionBudget: {minAvailable: 2}", "autoscaling: {maxReplicas: 3}", "autoscaling: {maxReplicas: 4}",
		"labels: {a: b}", "annotations: {a: b}", "patch: {spec: {minReadySeconds: 1}}",
	} {
		data, err := parameters.Render(&profile(t, spec).Spec)
		if err != nil {
			t.Fatal(err)
		}
		stamp := parameters.StampOf(data)
		if stamp == "" || seen[stamp] != "" {
			t.Errorf("%s has stamp %q, as has %s", spec, stamp, seen[stamp])
		}
		seen[stamp] = spec
		same, err := parameters.Render(&profile(t, "{"+spec+", ingress: true, retainFor: 5m}").Spec)
		if err != nil || parameters.StampOf(same) != stamp {
			t.Errorf("%s: another stamp without another parameter: %v", spec, err)
		}
		for key, text := range data {
			if n := strings.Count(text, stamp); n > 1 || (n == 1) != slices.Contains(parameters.Stamped, key) {
				t.Errorf("%s has it %d times: %s", key, n, text)
			}
		}
	}
}

// TestOrder: of a profile with many mistakes the same is said each time, in the same order.
func TestOrder(t *testing.T) {
	p := profile(t, `
topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {-a: x, -b: x, -c: x}}}]
patch:
  metadata: {labels: {-a: x, -b: x, -c: x}}
  spec:
    template:
      metadata: {labels: {-a: x, -b: x}}
      spec:
        containers: [{name: one, image: x, ports: [{containerPort: 0}]}]
        initContainers: [{name: two, image: x, ports: [{containerPort: 0}]}]
`)
	want := parameters.Check(p)
	if len(want) < 7 {
		t.Fatalf("too few mistakes are found: %v", want)
	}
	for range 50 {
		if diff := cmp.Diff(want, parameters.Check(p)); diff != "" {
			t.Fatalf("(-first +then):\n%s", diff)
		}
	}
}

func TestMinAvailable(t *testing.T) {
	for spec, want := range map[string]int{
		"{}":          1,
		"replicas: 3": 1,
		"{replicas: 3, disruptionBudget: {minAvailable: 2}}":                                       2,
		"{replicas: 3, disruptionBudget: {minAvailable: 50%}}":                                     2,
		"{replicas: 3, disruptionBudget: {maxUnavailable: 1}}":                                     2,
		"{replicas: 3, disruptionBudget: {minAvailable: 0}}":                                       1,
		"{replicas: 2, disruptionBudget: {minAvailable: 5}}":                                       2, // more there will never be
		"{autoscaling: {minReplicas: 4, maxReplicas: 9}, disruptionBudget: {maxUnavailable: 25%}}": 3,
	} {
		if got := parameters.MinAvailable(&profile(t, spec).Spec); got != want {
			t.Errorf("%s: %d, want %d", spec, got, want)
		}
	}
}
