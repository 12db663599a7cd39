package waypoints

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

func guards(name string, selector map[string]string, w *v1alpha1.GuardrailWaypoints) *v1alpha1.Guardrail {
	return &v1alpha1.Guardrail{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.GuardrailSpec{NamespaceSelector: metav1.LabelSelector{MatchLabels: selector}, Waypoints: w,
		Checks: []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, Action: v1alpha1.Warn}}}}
}

func namespace(t *testing.T, name, env string) *mesh.Object {
	t.Helper()
	o, err := mesh.Decode(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": map[string]any{"env": env}}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestSettings: what Guardrails and profiles ask of each namespace.
func TestSettings(t *testing.T) {
	s := mesh.New(mesh.Options{}, namespace(t, "a", "prod"), namespace(t, "b", "prod"), namespace(t, "c", "dev"))
	prod := map[string]string{"env": "prod"}
	large := &v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: "large"}, Spec: v1alpha1.WaypointProfileSpec{Granularity: v1alpha1.PerService, RetainFor: &metav1.Duration{Duration: time.Minute}}}
	broken := &v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: "broken"}, Spec: v1alpha1.WaypointProfileSpec{Granularity: v1alpha1.Shared}}
	type want struct {
		mode    plan.Mode
		bypass  plan.Opening
		profile string
		retain  time.Duration
	}
	for name, c := range map[string]struct {
		guardrails []*v1alpha1.Guardrail
		want       map[string]want
		missing    map[string]string
	}{
		"none":         {nil, nil, map[string]string{}},
		"says nothing": {[]*v1alpha1.Guardrail{guards("g", nil, nil)}, nil, map[string]string{}},
		"by a selector": {[]*v1alpha1.Guardrail{guards("g", prod, &v1alpha1.GuardrailWaypoints{Mode: "Provision"})},
			map[string]want{"a": {"Provision", "", "default", time.Hour}, "b": {"Provision", "", "default", time.Hour}}, map[string]string{}},
		"by a profile": {[]*v1alpha1.Guardrail{guards("g", map[string]string{"env": "dev"}, &v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "large"})},
			map[string]want{"c": {"Provision", "", "large", time.Minute}}, map[string]string{}},
		"two, the stricter one counts, and every guard": {[]*v1alpha1.Guardrail{
			guards("b", prod, &v1alpha1.GuardrailWaypoints{Mode: "Observe", Bypass: "Guard"}), guards("a", prod, &v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "large"})},
			map[string]want{"a": {"Provision", "Guard", "large", time.Minute}, "b": {"Provision", "Guard", "large", time.Minute}}, map[string]string{}},
		"two that are equally strict, by name": {[]*v1alpha1.Guardrail{
			guards("b", prod, &v1alpha1.GuardrailWaypoints{Mode: "Provision"}), guards("a", prod, &v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "large"})},
			map[string]want{"a": {"Provision", "", "large", time.Minute}, "b": {"Provision", "", "large", time.Minute}}, map[string]string{}},
		"a profile that is not there": {[]*v1alpha1.Guardrail{guards("g", prod, &v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "none", Bypass: "Guard"})},
			map[string]want{"a": {"Provision", "Guard", "none", time.Hour}, "b": {"Provision", "Guard", "none", time.Hour}}, map[string]string{"g": "none"}},
		"a profile that is not well formed": {[]*v1alpha1.Guardrail{guards("g", prod, &v1alpha1.GuardrailWaypoints{Mode: "Provision", Profile: "broken"})},
			map[string]want{"a": {"Provision", "", "broken", time.Hour}, "b": {"Provision", "", "broken", time.Hour}}, map[string]string{"g": "broken"}},
		"a Guardrail that is not well formed": {[]*v1alpha1.Guardrail{guards("g", prod, &v1alpha1.GuardrailWaypoints{Mode: "Always"})}, nil, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			settings, missing := Settings(Rules{Guardrails: c.guardrails, Profiles: []*v1alpha1.WaypointProfile{broken, large}}, s, Waits{Drain: time.Minute, Quiet: time.Hour})
			got := map[string]want{}
			for ns, o := range settings.Namespaces {
				if o.Profile.DrainFor != time.Minute || o.Profile.QuietFor != time.Hour {
					t.Errorf("%s waits %s and %s", ns, o.Profile.DrainFor, o.Profile.QuietFor)
				}
				got[ns] = want{o.Mode, o.Bypass, o.Profile.Name, o.Profile.RetainFor}
			}
			if c.want == nil {
				c.want = map[string]want{}
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{})) + cmp.Diff(c.missing, missing); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if settings.Default.Profile.Name != "default" || settings.Of("elsewhere").Mode != plan.Observe {
				t.Errorf("elsewhere: %+v", settings.Default)
			}
		})
	}
}
