package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Plan is what to make, in the order in which to make it, and what follows. The zero value is nothing to do.
type Plan struct {
	// Waypoints come first: nothing refers to a new one yet. They are sorted by namespace and name.
	Waypoints []Waypoint `json:"waypoints"`
	// Labels come last, each when its waypoint is Programmed. They are sorted by what they are on.
	Labels []Label `json:"labels"`
	// Changes are all effects that are different once the plan is carried out, the needs among them.
	Changes []Change `json:"changes"`
	// Blocked are needs that the plan does not meet.
	Blocked []Blocked `json:"blocked"`
}

// Waypoint is a waypoint that is needed.
type Waypoint struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// For is what it has to serve: service, workload or all.
	For string `json:"for"`
	// Existing is whether it is stored already and stays as it is; Ready, whether it has an address.
	Existing bool   `json:"existing"`
	Ready    bool   `json:"ready"`
	Needs    []Need `json:"needs"`
	// Manifest is the Gateway to make; nil for an existing one.
	Manifest map[string]any `json:"manifest"`

	from []string // namespaces of what asks for it
}

// Label is a label to set.
type Label struct {
	On    mesh.Ref `json:"on"`
	Key   string   `json:"key"`
	Value string   `json:"value"`
	// Binds are the Services and ServiceEntries that pass the waypoint from then on.
	Binds []mesh.Ref `json:"binds"`
	Needs []Need     `json:"needs"`
	// Why says why it is on the object and not on its Namespace; "" for a Namespace.
	Why string `json:"why"`
}

// Nothing is whether there is nothing to make.
func (p *Plan) Nothing() bool {
	return len(p.Labels) == 0 && !slices.ContainsFunc(p.Waypoints, func(w Waypoint) bool { return !w.Existing })
}

// Make plans the waypoints that a mesh needs: one in each namespace that needs one, an existing one before a new one.
func Make(view *policies.View) Plan {
	m := maker{snapshot: view.Snapshot, view: view, hypotheses: newHypotheses(view.Snapshot),
		waypoints: map[string]*Waypoint{}, wanted: map[string][]Need{}}
	var needs []Need
	needs, m.plan.Blocked = search(view, m.hypotheses)
	for _, n := range needs {
		m.place(n)
	}
	for _, ns := range slices.Sorted(maps.Keys(m.wanted)) {
		m.label(ns, m.wanted[ns])
	}
	return m.finish()
}

// maker makes a Plan.
type maker struct {
	snapshot   *mesh.Snapshot
	view       *policies.View
	hypotheses *hypotheses
	plan       Plan
	waypoints  map[string]*Waypoint // by namespace/name
	wanted     map[string][]Need    // by namespace: needs whose target asks for no waypoint yet
}

// place finds the waypoint for a need, or says why there is none.
func (m *maker) place(n Need) {
	traffic := m.hypotheses.of(n.Target).traffic
	if n.Target.Kind == mesh.Gateway.String() {
		w := m.waypoint(n.Target.Namespace, n.Target.Name)
		w.take(n, traffic, n.Target.Namespace)
		if gw := m.snapshot.Get(mesh.Gateway, n.Target.Namespace, n.Target.Name); gw != nil && mesh.Ready(gw) {
			m.wanted[n.Target.Namespace] = append(m.wanted[n.Target.Namespace], n)
		}
		return
	}
	o := serviceOf(m.snapshot, n.Target)
	switch b := m.snapshot.Binding(o); {
	case b.Opt == mesh.Asks && b.Reason == mesh.WaypointIsNotReady:
		m.waypoint(b.Namespace, b.Name).take(n, traffic, o.Namespace)
	case b.Opt == mesh.AsksNothing:
		m.wanted[o.Namespace] = append(m.wanted[o.Namespace], n)
	default: // it opts out, is refused, or has a waypoint of somebody else's
		m.plan.Blocked = append(m.plan.Blocked, Blocked{n, n.Reason})
	}
}

func (m *maker) waypoint(ns, name string) *Waypoint {
	key := ns + "/" + name
	w := m.waypoints[key]
	if w == nil {
		w = &Waypoint{Namespace: ns, Name: name, For: forServices}
		if gw := m.snapshot.Get(mesh.Gateway, ns, name); gw != nil {
			w.Existing, w.Ready, w.For = true, mesh.Ready(gw), m.snapshot.TrafficType(gw)
		}
		m.waypoints[key] = w
	}
	return w
}

// take enters a need. What a new waypoint is for is fitted to its needs.
func (w *Waypoint) take(n Need, traffic, from string) {
	switch {
	case w.Existing:
	case len(w.Needs) == 0:
		w.For = traffic
	case w.For != traffic:
		w.For = forAll
	}
	w.Needs = append(w.Needs, n)
	if !slices.Contains(w.from, from) {
		w.from = append(w.from, from)
	}
}

// label binds what needs a waypoint in a namespace: the Namespace where that makes nothing else worse, else the objects
// one by one.
func (m *maker) label(ns string, needs []Need) {
	w := m.choose(ns, needs)
	namespace := m.snapshot.Get(mesh.Namespace, "", ns)
	if why := m.mustNotLabel(namespace, w, needs); why != "" {
		m.labelObjects(w, needs, why)
		return
	}
	m.plan.Labels = append(m.plan.Labels, Label{On: namespace.Ref(), Key: label.IoIstioUseWaypoint.Name, Value: w.Name, Needs: needs})
}

func (m *maker) labelObjects(w *Waypoint, needs []Need, why string) {
	for _, n := range needs {
		o := serviceOf(m.snapshot, n.Target)
		if o == nil {
			m.plan.Blocked = append(m.plan.Blocked, Blocked{n, "the Namespace would have to be labelled, and " + why})
			continue
		}
		i := slices.IndexFunc(m.plan.Labels, func(l Label) bool { return l.On == o.Ref() })
		if i < 0 {
			i = len(m.plan.Labels)
			m.plan.Labels = append(m.plan.Labels, Label{On: o.Ref(), Key: label.IoIstioUseWaypoint.Name, Value: w.Name, Why: why})
		}
		m.plan.Labels[i].Needs = append(m.plan.Labels[i].Needs, n)
	}
}

// choose is the waypoint of a namespace: one that serves something, one that is ready, one of the usual name; else a
// new one.
func (m *maker) choose(ns string, needs []Need) *Waypoint {
	var best *mesh.Object
	for _, gw := range m.snapshot.List(mesh.Gateway, ns) {
		if !usable(m.snapshot, gw) || !mesh.ServesServices(m.snapshot.TrafficType(gw)) {
			continue
		}
		if best == nil || m.rank(gw) > m.rank(best) {
			best = gw
		}
	}
	name := freeName(m.snapshot, ns)
	if best != nil {
		name = best.Name
	}
	w := m.waypoint(ns, name)
	for _, n := range needs {
		if n.Target.Kind != mesh.Gateway.String() {
			w.take(n, m.hypotheses.of(n.Target).traffic, ns)
		}
	}
	return w
}

func (m *maker) rank(gw *mesh.Object) int {
	rank := 0
	if len(m.snapshot.BoundTo(gw)) > 0 {
		rank += 4
	}
	if mesh.Ready(gw) {
		rank += 2
	}
	if gw.Name == defaultName {
		rank++
	}
	return rank
}

// mustNotLabel says why the Namespace must not have the label; "" if it may.
func (m *maker) mustNotLabel(namespace *mesh.Object, w *Waypoint, needs []Need) string {
	switch {
	case namespace == nil:
		return "its Namespace is not in the input"
	case namespace.Labels[label.IoIstioUseWaypoint.Name] != "":
		return fmt.Sprintf("Namespace %s says %s=%s", namespace.Name, label.IoIstioUseWaypoint.Name, namespace.Labels[label.IoIstioUseWaypoint.Name])
	}
	made := m.snapshot.With(m.madeReady(w))
	whole := made.With(labelled(namespace, map[string]string{label.IoIstioUseWaypoint.Name: w.Name}))
	single := made
	for _, n := range needs {
		if o := serviceOf(m.snapshot, n.Target); o != nil {
			single = single.With(labelled(o, map[string]string{label.IoIstioUseWaypoint.Name: w.Name}))
		}
	}
	about := []string{namespace.Name, m.snapshot.RootNamespace()}
	unavoidable := changes(m.view, single, about)
	for _, c := range changes(m.view, whole, about) {
		if c.harms() && !slices.ContainsFunc(unavoidable, func(o Change) bool { return o.key() == c.key() && o.Turn == c.Turn }) {
			return fmt.Sprintf("on Namespace %s it would also change what %s does at %s", namespace.Name, c.Object, c.Target)
		}
	}
	return ""
}

// madeReady is the waypoint as it is when everything is done.
func (m *maker) madeReady(w *Waypoint) *mesh.Object {
	if w.Existing {
		return readyGateway(m.snapshot, w.Namespace, w.Name, w.For, w.Namespace)
	}
	return newGateway(w.Namespace, w.Name, w.For, w.from)
}

func (m *maker) finish() Plan {
	p := m.plan
	for _, key := range slices.Sorted(maps.Keys(m.waypoints)) {
		w := *m.waypoints[key]
		if !w.Existing {
			w.Manifest = gatewayManifest(w.Namespace, w.Name, w.For, w.from)
		}
		slices.SortFunc(w.Needs, compareNeeds)
		p.Waypoints = append(p.Waypoints, w)
	}
	slices.SortFunc(p.Labels, func(a, b Label) int {
		return cmp.Or(strings.Compare(home(a.On), home(b.On)), a.On.Compare(b.On))
	})
	slices.SortFunc(p.Blocked, func(a, b Blocked) int { return compareNeeds(a.Need, b.Need) })
	after := p.Apply(m.snapshot)
	for i := range p.Labels {
		p.Labels[i].Binds = newlyBound(m.snapshot, after, p.Labels[i])
	}
	p.Changes = changes(m.view, after, nil)
	return p
}

func home(r mesh.Ref) string {
	if r.Namespace == "" {
		return r.Name
	}
	return r.Namespace
}

// Apply is the mesh once the plan is carried out and its waypoints are ready.
func (p *Plan) Apply(s *mesh.Snapshot) *mesh.Snapshot {
	for _, w := range p.Waypoints {
		gw := readyGateway(s, w.Namespace, w.Name, w.For, w.Namespace)
		if !w.Existing {
			gw = decode(w.Manifest)
		}
		s = s.With(gw)
	}
	for _, l := range p.Labels {
		kind, _ := mesh.KindOf(l.On.APIVersion, l.On.Kind)
		if o := s.Get(kind, l.On.Namespace, l.On.Name); o != nil {
			s = s.With(labelled(o, map[string]string{l.Key: l.Value}))
		}
	}
	return s
}

// newlyBound are the Services and ServiceEntries that a label binds.
func newlyBound(before, after *mesh.Snapshot, l Label) []mesh.Ref {
	gw := after.Get(mesh.Gateway, home(l.On), l.Value)
	out := []mesh.Ref{}
	for _, o := range after.BoundTo(gw) {
		was := before.Get(o.Kind, o.Namespace, o.Name)
		if before.Binding(was).Bound || l.On.Kind != mesh.Namespace.String() && l.On != o.Ref() {
			continue
		}
		out = append(out, o.Ref())
	}
	return out
}
