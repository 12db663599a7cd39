package plan

import (
	"fmt"
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// unguarded says of what a waypoint of the plan serves at rest, whoever bound it, that no guard is over its pods, though one is asked for,
// nothing has stopped, and nobody is told why.
func (m *model) unguarded() string {
	w := m.world(len(m.states) - 1)
	st, p := &m.states[len(m.states)-1], Next(w)
	for _, svc := range services {
		ref, gw := RefOf(mesh.Service, m.home(svc), svc), st.bound[svc]
		setting, at := w.Settings.Of(ref.Namespace), RefOf(mesh.Gateway, "", "")
		at.Namespace, at.Name, _ = cutKey(gw)
		if gw == "" || !m.serves(gw) || setting.Bypass != Guard || setting.Mode != Provision || w.Evidence.Managed.Made(find(st.snapshot, guardOf(ref))) ||
			!slices.ContainsFunc(w.Plan.Waypoints, func(w Waypoint) bool { return w.Ref() == at && !w.Existing }) {
			continue
		}
		if !slices.ContainsFunc(p, func(c Course) bool {
			return c.Waypoint == at && (c.Step != nil || len(c.Stopped)+len(c.Waiting) > 0 || slices.ContainsFunc(c.Unguarded, func(n Notice) bool { return canonical(n.On) == ref }))
		}) {
			return fmt.Sprintf("%s is served by waypoint %s and not guarded, and nothing is said of it", svc, gw)
		}
	}
	return ""
}
