package plan

import (
	"maps"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Next says for each waypoint which step to take now, or what it waits for. It is computed from what is stored, so it may be
// asked at any time and as often as one likes; a step that was taken is seen in the next World and not said again. Take a
// step only once the one before it is seen in the Snapshot.
func Next(w World) Progress {
	o := gather(w)
	out := Progress{}
	for _, ref := range slices.SortedFunc(maps.Keys(o.courses), mesh.Ref.Compare) {
		c := o.courses[ref]
		c.run()
		c.looks()
		if c.out.Step != nil || len(c.out.Waiting)+len(c.out.Stopped)+len(c.out.Needs) > 0 || c.out.Removing {
			out = append(out, c.out)
		}
	}
	return append(out, o.letGo()...)
}

// looks enters how a waypoint does that is there. Before anything is bound to it, that is waited for.
func (c *course) looks() {
	now := c.Evidence.Waypoints[c.ref]
	if c.gateway == nil || len(c.bound) == 0 {
		return
	}
	if !now.Ready {
		c.out.Unready, c.out.Down = now.Why, now.Down
	}
	c.out.Unapplied, c.out.Overdue = now.Unapplied, now.Overdue
}

// order is what belongs to which waypoint.
type order struct {
	World
	snapshot *mesh.Snapshot
	courses  map[mesh.Ref]*course
	planned  map[mesh.Ref]bool  // policies of the plan, whichever waypoint they are for
	labelled map[string][]Label // labels of the plan, by the namespace that they are on or in
	gone     *policies.View     // the mesh without what nothing needs, once it was asked for
	marks    []*mesh.Object     // objects of somebody else's with annotations of ours, and no label of ours or waypoints that they have left

	twinsGone      []mesh.Ref // as goneTwins has them, once it looked
	lookedForTwins bool
}

// course is one waypoint: what is planned, and what of it is stored.
type course struct {
	*order
	ref      mesh.Ref
	planned  *Waypoint // nil where nothing needs it
	labels   []Label   // planned
	policies []Policy  // planned

	gateway    *mesh.Object   // as stored, whoever's
	bound      []Label        // labels of ours that are stored and ask for it
	canaries   []*mesh.Object // objects with a label of ours by which it is their canary
	own        []*mesh.Object // policies of ours that are stored for it
	parameters []*mesh.Object // ConfigMaps of ours that are stored for it
	cannot     []mesh.Ref     // planned policies that cannot be written
	uncleared  []mesh.Ref     // Services with a twin that is to be gone before they are bound
	out        Course
}

func gather(w World) *order {
	o := &order{World: w, snapshot: w.View.Snapshot, courses: map[mesh.Ref]*course{}, planned: map[mesh.Ref]bool{}, labelled: map[string][]Label{}}
	for i := range w.Plan.Waypoints {
		o.at(w.Plan.Waypoints[i].Ref()).planned = &w.Plan.Waypoints[i]
	}
	for _, l := range w.Plan.Labels {
		o.labelled[home(l.On)] = append(o.labelled[home(l.On)], l)
		if w.Settings.Of(home(l.On)).Mode == Provision {
			c := o.at(l.Waypoint())
			c.labels = append(c.labels, l)
		}
	}
	o.unguarded()
	for _, p := range w.Plan.Policies {
		o.planned[p.Ref()] = true
		if w.Settings.Of(p.Ref().Namespace).Mode == Provision {
			c := o.at(p.Waypoint)
			c.policies = append(c.policies, p)
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(w.Evidence.Managed), mesh.Ref.Compare) {
		o.take(find(o.snapshot, ref))
	}
	return o
}

// unguarded enters where a guard is asked for and would close a known way.
func (o *order) unguarded() {
	found := map[mesh.Ref]Notice{}
	for _, n := range o.Plan.Notices {
		if n.Class == ClassGuard {
			found[n.On] = n
		}
	}
	if len(found) == 0 {
		return
	}
	enter := func(services []mesh.Ref, at mesh.Ref) {
		for _, svc := range services {
			if n, ok := found[svc]; ok && o.Settings.Of(svc.Namespace).Mode == Provision {
				c := o.at(at)
				c.out.Unguarded = append(c.out.Unguarded, n)
			}
		}
	}
	for _, l := range o.Plan.Labels {
		enter(l.Binds, l.Waypoint())
	}
	for i := range o.Plan.Waypoints {
		enter(o.Plan.Waypoints[i].Asked, o.Plan.Waypoints[i].Ref())
	}
}

func (o *order) at(ref mesh.Ref) *course {
	c := o.courses[ref]
	if c == nil {
		c = &course{order: o, ref: ref, gateway: o.snapshot.Get(mesh.Gateway, ref.Namespace, ref.Name), out: Course{Waypoint: ref}}
		o.courses[ref] = c
	}
	return c
}

// take enters an object that our field manager wrote, if it is ours.
func (o *order) take(stored *mesh.Object) {
	managed := o.Evidence.Managed
	switch {
	case stored == nil:
	case managed.Made(stored):
		o.takeMade(stored)
	default:
		if at, ok := storedCanary(managed, stored); ok {
			c := o.at(at)
			c.canaries = append(c.canaries, stored)
		}
		l, ok := storedLabel(managed, stored)
		if ok {
			c := o.at(l.Waypoint())
			c.bound = append(c.bound, l)
		}
		if slices.Contains(labelledKinds, stored.Kind) && stored.Annotations[ProfileAnnotation] != "" && !stored.Terminating && (!ok || stored.Annotations[LeftAnnotation] != "") {
			o.marks = append(o.marks, stored)
		}
	}
}

// labelledKinds are the kinds on which a plan sets labels.
var labelledKinds = []mesh.Kind{mesh.Namespace, mesh.Service, mesh.ServiceEntry}

func (o *order) takeMade(stored *mesh.Object) {
	if stored.Kind == mesh.Gateway {
		o.at(refOf(stored))
		return
	}
	ns, name, ok := cutKey(stored.Annotations[WaypointAnnotation])
	if !ok {
		return
	}
	c := o.at(RefOf(mesh.Gateway, ns, name))
	switch stored.Kind {
	case mesh.AuthorizationPolicy, mesh.RequestAuthentication:
		c.own = append(c.own, stored)
	case mesh.ConfigMap:
		c.parameters = append(c.parameters, stored)
	}
}

// ours is whether the Gateway is stored and ours.
func (c *course) ours() bool { return c.Evidence.Managed.Made(c.gateway) }

func (c *course) run() {
	idle := c.planned == nil || c.planned.Idle
	if !idle {
		c.out.Needs = c.planned.Needs
	}
	switch {
	case idle && !c.provisioned():
		if c.ours() || len(c.bound)+len(c.canaries)+len(c.own)+len(c.parameters) > 0 {
			c.stop(Retain, c.ref, nil, "it stays as it is: nothing needs it, and no Guardrail with mode Provision selects its namespace any more. Delete it, or select the namespace.")
		}
	case idle && c.hold() == busy: // of what is blocked
	case idle:
		c.remove()
	case !c.planned.Existing && c.planned.mode != Provision:
		c.out.Needs = nil // it is for people to make
		if c.ours() {
			c.stop(MakeGateway, c.ref, nil, "it stays as it is: no Guardrail with mode Provision selects its namespace any more. Take it over, or select the namespace.")
		}
	default:
		c.follow(c.tables().making)
		c.clearStopped()
		c.endHolds()
		c.out.Awaited = c.awaited()
	}
}

// provisioned is whether Waywarden provides for any namespace that the waypoint is about.
func (c *course) provisioned() bool {
	if c.setting().Mode == Provision {
		return true
	}
	return slices.ContainsFunc(c.bound, func(l Label) bool { return c.Settings.Of(home(l.On)).Mode == Provision }) ||
		slices.ContainsFunc(c.own, func(o *mesh.Object) bool { return c.Settings.Of(o.Namespace).Mode == Provision })
}

// setting is that by which the waypoint was made.
func (c *course) setting() Setting {
	if c.ours() {
		return c.Settings.madeBy(c.ref.Namespace, c.gateway.Annotations[ProfileAnnotation])
	}
	return c.Settings.Of(c.ref.Namespace)
}

// profileOf is the name of the profile for objects of a namespace.
func (o *order) profileOf(ns string) string {
	return nameOf(o.Settings.Of(ns).Profile)
}

func cutKey(key string) (ns, name string, ok bool) {
	for i := range key {
		if key[i] == '/' {
			return key[:i], key[i+1:], i > 0 && i+1 < len(key)
		}
	}
	return "", "", false
}

// storedLabel is the waypoint label of ours that an object has.
func storedLabel(managed Managed, o *mesh.Object) (Label, bool) {
	if !slices.Contains(managed.Labelled(o), label.IoIstioUseWaypoint.Name) {
		return Label{}, false
	}
	l := Label{On: o.Ref(), Key: label.IoIstioUseWaypoint.Name, Value: o.Labels[label.IoIstioUseWaypoint.Name]}
	if ns, ok := o.Labels[label.IoIstioUseWaypointNamespace.Name]; ok && ns != o.Home() {
		l.WaypointNamespace = ns
	}
	return l, true
}
