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

// Make plans the waypoints that a mesh needs, by the settings of each namespace; an existing one before a new one. What is
// managed is planned anew, as if it were not there, so that the plan does not depend on how much of it is done.
func Make(view *policies.View, settings Settings, managed Managed) Plan {
	p, _ := makePlan(view, settings, managed, nil, nil)
	return p
}

// makePlan is a plan for the policies of some namespaces; nil is all of them. It is none where its time is over before it is made.
func makePlan(view *policies.View, settings Settings, managed Managed, about []string, until *deadline) (Plan, bool) {
	base := withoutOurs(view, managed)
	m := maker{snapshot: base.Snapshot, view: base, stored: view.Snapshot, settings: settings, managed: managed,
		refs: slices.SortedFunc(maps.Keys(managed), mesh.Ref.Compare), about: about, until: until,
		hypotheses: newHypotheses(base.Snapshot), waypoints: map[string]*Waypoint{}, wanted: map[group][]Need{}}
	m.hypotheses.owned(view.Snapshot, managed)
	var needs []Need
	needs, m.plan.Blocked = search(base, m.hypotheses, about, until)
	needs = append(needs, m.succeeded(needs)...)
	for _, n := range append(needs, m.kept()...) {
		m.place(n)
	}
	for _, stage := range []func(){m.labels, m.stay, m.finish} {
		if until.over() {
			return Plan{}, false
		}
		stage()
	}
	if until.over() {
		return Plan{}, false // it may have been broken off anywhere
	}
	return m.plan, true
}

// maker makes a Plan.
type maker struct {
	snapshot   *mesh.Snapshot // without what is ours
	view       *policies.View // of snapshot
	stored     *mesh.Snapshot // with it
	settings   Settings
	managed    Managed
	refs       []mesh.Ref // of managed, sorted
	about      []string   // namespaces; nil is all
	until      *deadline
	hypotheses *hypotheses
	plan       Plan
	waypoints  map[string]*Waypoint // by namespace/name
	wanted     map[group][]Need     // needs whose target asks for no waypoint yet
	scraping   []*mesh.Workload     // once looked
	looked     bool
	calling    *callers                  // once looked
	left       map[string][]*mesh.Object // waypoints that still send to what they served, by namespace
	supposed   supposed
	blocks     map[needKey]bool // of those of plan.Blocked that are entered
	entered    int
}

// group is what gets one waypoint, where it asks for none yet: a namespace, or in it one Service.
type group struct{ namespace, kind, name string }

func (g group) compare(o group) int {
	return cmp.Or(strings.Compare(g.namespace, o.namespace), strings.Compare(g.kind, o.kind), strings.Compare(g.name, o.name))
}

// want enters a need whose target asks for no waypoint yet.
func (m *maker) want(n Need, ns string) {
	g := group{namespace: ns}
	if n.Target.Kind == mesh.Gateway.String() || n.Target.Kind == mesh.Namespace.String() {
		m.wanted[g] = append(m.wanted[g], n)
		return
	}
	if m.settings.Of(ns).Profile.Granularity == PerService {
		g.kind, g.name = n.Target.Kind, n.Target.Name
	}
	m.wanted[g] = append(m.wanted[g], n)
}

// place finds the waypoint for a need, or says why there is none.
func (m *maker) place(n Need) {
	switch n.Target.Kind {
	case mesh.Namespace.String():
		m.want(n, n.Target.Name)
		return
	case mesh.Gateway.String():
		if why := m.unserved(n.Target.Namespace, n.Target.Name, n.Policy.String()+" names"); why != "" {
			m.plan.Blocked = append(m.plan.Blocked, Blocked{Need: n, Why: why})
			return
		}
		w := m.holding(n.Target.Namespace, n.Target.Name, m.classFor(n.Target.Namespace, n.Target.Namespace, n.Target.Name))
		w.take(n, m.traffic(n), n.Target.Namespace)
		if gw := m.snapshot.Get(mesh.Gateway, n.Target.Namespace, n.Target.Name); gw != nil && mesh.Ready(gw) {
			m.want(n, n.Target.Namespace)
		}
		return
	}
	o := serviceOf(m.snapshot, n.Target)
	switch b := m.snapshot.Binding(o); {
	case b.Opt == mesh.Asks && b.Reason == mesh.WaypointIsNotReady:
		if why := cmp.Or(m.keepsOut(b, o), m.unserved(b.Namespace, b.Name, o.String()+" asks for")); why != "" {
			m.plan.Blocked = append(m.plan.Blocked, Blocked{Need: n, Why: why})
			return
		}
		w := m.waypoint(b.Namespace, b.Name)
		m.makeFor(w, o.Namespace)
		w.take(n, m.traffic(n), o.Namespace)
	case b.Opt == mesh.AsksNothing:
		m.want(n, o.Namespace)
	default: // it opts out, is refused, or has a waypoint of somebody else's
		m.plan.Blocked = append(m.plan.Blocked, Blocked{Need: n, Why: n.Reason})
	}
}

// unserved says why a waypoint that somebody names never serves, made or there; "" where it may.
func (m *maker) unserved(ns, name, by string) string {
	if gw := m.snapshot.Get(mesh.Gateway, ns, name); gw != nil {
		if usable(m.snapshot, gw) && !listensAsWaypoint(gw) {
			return fmt.Sprintf("%s %s, which never serves: %s", by, gw, oneListener)
		}
		return ""
	}
	if why := undeployable(m.snapshot, ns, name); why != "" {
		return fmt.Sprintf("%s waypoint %q, which nobody can run: %s. Correct the name.", by, name, why)
	}
	if profile := m.settings.Of(ns).Profile; profile.Missing && !m.managed.Made(m.stored.Get(mesh.Gateway, ns, name)) {
		return noneBy(profile)
	}
	return ""
}

// traffic is what a waypoint has to be for to meet a need.
func (m *maker) traffic(n Need) string {
	if n.Target.Kind != mesh.Namespace.String() {
		if h := m.hypotheses.of(n.Target); h != nil {
			return h.traffic
		}
	}
	return forServices
}

func (m *maker) waypoint(ns, name string) *Waypoint {
	key := ns + "/" + name
	w := m.waypoints[key]
	if w == nil {
		setting := m.settings.Of(ns)
		w = &Waypoint{Namespace: ns, Name: name, For: forServices, profile: setting.Profile, mode: setting.Mode}
		if gw := m.snapshot.Get(mesh.Gateway, ns, name); gw != nil {
			w.Existing, w.Ready, w.For = true, mesh.Ready(gw), m.snapshot.TrafficType(gw)
		} else if gw := m.stored.Get(mesh.Gateway, ns, name); m.managed.Made(gw) {
			setting := m.settings.madeBy(ns, gw.Annotations[ProfileAnnotation])
			w.Ready, w.profile, w.mode = mesh.Ready(gw), setting.Profile, setting.Mode
			w.class, w.places = classOf(gw), placesOf(gw)
			w.from = attached(m.stored, gw)
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
	w.admit(from)
}

func (w *Waypoint) admit(ns string) {
	if !slices.Contains(w.from, ns) {
		w.from = append(w.from, ns)
	}
}

// labels bind what needs a waypoint: the Namespace where that makes nothing else worse, else the objects one by one.
func (m *maker) labels() {
	var all []binding
	for _, g := range slices.SortedFunc(maps.Keys(m.wanted), group.compare) {
		w, why := m.choose(g, m.wanted[g])
		if w == nil {
			for _, n := range m.wanted[g] {
				m.plan.Blocked = append(m.plan.Blocked, Blocked{Need: n, Why: why})
			}
			continue
		}
		all = append(all, binding{group: g, waypoint: w, on: m.snapshot.Get(mesh.Namespace, "", g.namespace), needs: m.wanted[g]})
	}
	m.suppose(all)
	for _, b := range all {
		why := "the profile asks for a waypoint for each Service"
		if b.name == "" {
			why = m.mustNotLabel(b)
		}
		if why != "" {
			m.labelObjects(b.waypoint, b.needs, why)
			continue
		}
		m.plan.Labels = append(m.plan.Labels, m.newLabel(b.on.Ref(), b.waypoint, b.needs, ""))
	}
}

func (m *maker) newLabel(on mesh.Ref, w *Waypoint, needs []Need, why string) Label {
	l := Label{On: on, Key: label.IoIstioUseWaypoint.Name, Value: w.Name, Needs: needs, Why: why, Ingress: m.sendsIngress(find(m.stored, on))}
	if w.Namespace != home(on) || m.namesAnother(on) {
		l.WaypointNamespace = w.Namespace
	}
	return l
}

// namesAnother is whether a label of somebody else's stands on an object that names the namespace of a waypoint and no waypoint: it
// counts as soon as a label beside it does (ambient/waypoints.go GetUseWaypoint). So it is replaced, or its owner is asked for that.
func (m *maker) namesAnother(on mesh.Ref) bool {
	o := find(m.snapshot, on)
	if o == nil {
		return false
	}
	ns, ok := o.Labels[label.IoIstioUseWaypointNamespace.Name]
	return ok && ns != home(on)
}

func (m *maker) labelObjects(w *Waypoint, needs []Need, why string) {
	for _, n := range needs {
		o := serviceOf(m.snapshot, n.Target)
		if o == nil {
			m.plan.Blocked = append(m.plan.Blocked, Blocked{Need: n, Why: "the Namespace would have to be labelled, and " + why})
			continue
		}
		i := slices.IndexFunc(m.plan.Labels, func(l Label) bool { return l.On == o.Ref() })
		if i < 0 {
			i = len(m.plan.Labels)
			m.plan.Labels = append(m.plan.Labels, m.newLabel(o.Ref(), w, nil, why))
		}
		m.plan.Labels[i].Needs = append(m.plan.Labels[i].Needs, n)
	}
}

// finish says what to make of what was found, and what follows from it.
func (m *maker) finish() {
	p := m.plan
	for _, key := range slices.Sorted(maps.Keys(m.waypoints)) {
		w := *m.waypoints[key]
		switch gw := m.stored.Get(mesh.Gateway, w.Namespace, w.Name); {
		case w.Existing:
		case w.profile.Missing && m.managed.Made(gw):
			w.Manifest = asMade(gw)
		default:
			w.For = m.usedFor(&w)
			w.Manifest, w.Parameters = gatewayManifest(&w), parametersManifest(&w)
		}
		slices.SortFunc(w.Needs, compareNeeds)
		p.Waypoints = append(p.Waypoints, w)
	}
	sortLabels(p.Labels)
	m.plan = p
	m.check()
	m.keepBlocked()
	slices.SortFunc(m.plan.Blocked, func(a, b Blocked) int { return compareNeeds(a.Need, b.Need) })
}

func sortLabels(labels []Label) {
	slices.SortFunc(labels, func(a, b Label) int {
		return cmp.Or(strings.Compare(home(a.On), home(b.On)), a.On.Compare(b.On))
	})
}
