package waypoints

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// madeBy is the annotation and label of what istiod makes for a waypoint of ours, and the reason why there is one: where
// spec.infrastructure has none, istiod copies those of the Gateway to its pods, and each change of ours would replace them
// (deploymentcontroller.go extractInfrastructureMetadata).
const madeBy = "waywarden.dev/waypoint-of"

const defaultRetention = time.Hour

// Rules are what users wrote that decides about waypoints. It is immutable.
type Rules struct {
	Guardrails []*v1alpha1.Guardrail
	Profiles   []*v1alpha1.WaypointProfile
}

// Settings are what Rules ask of each namespace of a mesh. A Guardrail that is not well formed says nothing, and
// neither does one whose profile is not well formed or not there: missing tells of those, by Guardrail. drain is how long
// connections of waypoints that go are waited for.
func Settings(rules Rules, s *mesh.Snapshot, drain time.Duration) (out plan.Settings, missing map[string]string) {
	profiles := map[string]*plan.Profile{v1alpha1.DefaultProfile: profile(&v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultProfile}})}
	for _, p := range rules.Profiles {
		profiles[p.Name] = profile(p)
	}
	for _, p := range profiles {
		if p != nil {
			p.DrainFor = drain
		}
	}
	out.Namespaces, missing = map[string]plan.Setting{}, map[string]string{}
	sorted := slices.SortedFunc(slices.Values(rules.Guardrails), func(a, b *v1alpha1.Guardrail) int { return strings.Compare(a.Name, b.Name) })
	for _, g := range sorted {
		w := g.Spec.Waypoints
		if w == nil || len(g.Validate()) > 0 {
			continue
		}
		name := cmp.Or(w.Profile, v1alpha1.DefaultProfile)
		used := profiles[name]
		if used == nil {
			missing[g.Name] = name
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(&g.Spec.NamespaceSelector)
		if err != nil {
			continue // Validate refuses it
		}
		setting := plan.Setting{Mode: plan.Mode(w.Mode), Pending: plan.Opening(w.Pending), Bypass: plan.Opening(w.Bypass), Profile: *used}
		for ns := range s.Namespaces() {
			if !selector.Matches(labels.Set(s.NamespaceLabels(ns))) {
				continue
			}
			combined := setting
			if earlier, ok := out.Namespaces[ns]; ok {
				combined = earlier.And(setting)
			}
			out.Namespaces[ns] = combined
		}
	}
	if p := profiles[v1alpha1.DefaultProfile]; p != nil {
		out.Default.Profile = *p
	}
	return out, missing
}

// profile is what of a WaypointProfile decides in a plan; nil where istiod would refuse it.
func profile(p *v1alpha1.WaypointProfile) *plan.Profile {
	if len(p.Validate()) > 0 || len(parameters.Check(p)) > 0 {
		return nil
	}
	data, err := parameters.Render(&p.Spec)
	if err != nil {
		return nil // which Check finds
	}
	retain := defaultRetention
	if p.Spec.RetainFor != nil {
		retain = p.Spec.RetainFor.Duration
	}
	return &plan.Profile{
		Name: p.Name, Granularity: plan.Granularity(p.Spec.Granularity), GatewayClassName: p.Spec.GatewayClassName, SharedNamespace: p.Spec.SharedNamespace,
		Ingress: p.Spec.Ingress, RetainFor: retain, Parameters: data,
		Labels: map[string]string{madeBy: "waywarden"}, Annotations: map[string]string{madeBy: p.Name},
	}
}

// demand is what a profile demands of its waypoints besides what decides in a plan.
type demand struct {
	ready      int               // pods, before anything is sent to one
	parameters map[string]string // by key
}

// demands are those of the profiles that can be rendered, by name.
func demands(rules Rules) map[string]demand {
	out := map[string]demand{v1alpha1.DefaultProfile: {ready: 1}}
	for _, p := range rules.Profiles {
		delete(out, p.Name)
		if made := profile(p); made != nil {
			out[p.Name] = demand{parameters.MinAvailable(&p.Spec), made.Parameters}
		}
	}
	return out
}

// provisions is whether any namespace asks for waypoints to be made.
func provisions(s plan.Settings) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(s.Namespaces)), func(o plan.Setting) bool { return o.Mode == plan.Provision })
}
