package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
)

// MadeByKey is the annotation and label of what istiod makes for a waypoint of ours, and the reason why there is one: where
// spec.infrastructure has none, istiod copies those of the Gateway to its pods, and each change of ours would replace them
// (deploymentcontroller.go extractInfrastructureMetadata).
const MadeByKey = "waywarden.dev/waypoint-of"

const defaultRetention = time.Hour

// Rules are what Guardrails and WaypointProfiles ask of each namespace of a mesh. A Guardrail that is not well formed says
// nothing. Of one whose profile is not well formed or not there all else counts: missing tells of those profiles, by Guardrail.
func Rules(guardrails []*v1alpha1.Guardrail, profiles []*v1alpha1.WaypointProfile, s *mesh.Snapshot) (out Settings, missing map[string]string) {
	known := map[string]*Profile{v1alpha1.DefaultProfile: profileOf(&v1alpha1.WaypointProfile{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultProfile}})}
	for _, p := range profiles {
		known[p.Name] = profileOf(p)
	}
	out.Namespaces, missing = map[string]Setting{}, map[string]string{}
	sorted := slices.SortedFunc(slices.Values(guardrails), func(a, b *v1alpha1.Guardrail) int { return strings.Compare(a.Name, b.Name) })
	for _, g := range sorted {
		w := g.Spec.Waypoints
		if w == nil || len(g.Validate()) > 0 {
			continue
		}
		name := cmp.Or(w.Profile, v1alpha1.DefaultProfile)
		profile := known[name]
		if profile == nil {
			missing[g.Name] = name
			profile = &Profile{Name: name, Missing: true, RetainFor: defaultRetention}
		}
		out.choose(g, s, Setting{Mode: Mode(w.Mode), Pending: Opening(w.Pending), Bypass: Opening(w.Bypass), Profile: *profile, Exceptions: exceptionsOf(w)})
	}
	if p := known[v1alpha1.DefaultProfile]; p != nil {
		out.Default.Profile = *p
	}
	return out, missing
}

func exceptionsOf(w *v1alpha1.GuardrailWaypoints) []Exception {
	var out []Exception
	for _, e := range w.BypassExceptions {
		one := Exception{Reason: e.Reason}
		for _, p := range e.Principals {
			one.Principals = append(one.Principals, string(p))
		}
		for _, s := range e.Services {
			one.Services = append(one.Services, string(s))
		}
		out = append(out, one)
	}
	return out
}

// choose enters what a Guardrail asks of the namespaces that it selects.
func (s *Settings) choose(g *v1alpha1.Guardrail, m *mesh.Snapshot, asked Setting) {
	selector, err := metav1.LabelSelectorAsSelector(&g.Spec.NamespaceSelector)
	if err != nil {
		return // Validate refuses it
	}
	for ns := range m.Namespaces() {
		if !selector.Matches(labels.Set(m.NamespaceLabels(ns))) {
			continue
		}
		combined := asked
		if earlier, ok := s.Namespaces[ns]; ok {
			combined = earlier.And(asked)
		}
		s.Namespaces[ns] = combined
	}
}

// profileOf is what of a WaypointProfile decides in a plan; nil where istiod would refuse it.
func profileOf(p *v1alpha1.WaypointProfile) *Profile {
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
	return &Profile{
		Name: p.Name, Granularity: Granularity(p.Spec.Granularity), GatewayClassName: p.Spec.GatewayClassName, SharedNamespace: p.Spec.SharedNamespace,
		Ingress: p.Spec.Ingress, RetainFor: retain, Steps: p.Annotations[StepsAnnotation], Parameters: data,
		Labels: map[string]string{MadeByKey: "waywarden"}, Annotations: map[string]string{MadeByKey: p.Name},
	}
}

// OnlyShown are settings by which a plan is shown to people, who make what is in it themselves: nothing in it is signed as
// ours.
func (s Settings) OnlyShown() Settings {
	out := Settings{Namespaces: make(map[string]Setting, len(s.Namespaces)), Default: s.Default.shown()}
	for ns, o := range s.Namespaces {
		out.Namespaces[ns] = o.shown()
	}
	return out
}

func (s Setting) shown() Setting {
	s.shownFor, s.Mode = s.Mode, Observe
	s.Profile.Labels, s.Profile.Annotations = nil, nil
	return s
}
