package plan

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A label on a Namespace binds more than what needs a waypoint. Whether that makes anything worse is seen by comparing the mesh in
// which Namespaces are labelled with the one in which only the objects in need are.

// binding is what gets one waypoint.
type binding struct {
	group
	waypoint *Waypoint
	on       *mesh.Object // the Namespace; nil where it is not in the input
	needs    []Need
	ready    *mesh.Object // the waypoint when everything is done
}

// whyNot says why the Namespace must not have a label, whatever that would do; "" if it may.
func (b binding) whyNot() string {
	switch {
	case b.on == nil:
		return "its Namespace is not in the input"
	case b.on.Labels[label.IoIstioUseWaypoint.Name] != "":
		return fmt.Sprintf("Namespace %s says %s=%s", b.on.Name, label.IoIstioUseWaypoint.Name, b.on.Labels[label.IoIstioUseWaypoint.Name])
	}
	return ""
}

// supposed are the mesh with all Namespaces labelled that may be, and the one with only what needs it. Two for all of them cost far less
// than two for each.
type supposed struct {
	whole, single *mesh.Snapshot
	root          bool // whether a policy of the root namespace differs for the worse: then it is to be found out for which Namespace
}

func (m *maker) suppose(all []binding) {
	all = slices.DeleteFunc(slices.Clone(all), func(b binding) bool { return b.name != "" || b.whyNot() != "" })
	for i := range all {
		all[i].ready = m.madeReady(all[i].waypoint)
	}
	m.supposed.whole, m.supposed.single = m.wholly(all), m.singly(all)
	m.supposed.root = m.differs(m.snapshot.RootNamespace(), m.supposed) != nil
}

// mustNotLabel says why the Namespace must not have the label; "" if it may.
func (m *maker) mustNotLabel(b binding) string {
	if why := b.whyNot(); why != "" {
		return why
	}
	c := m.differs(b.namespace, m.supposed)
	if c == nil && m.supposed.root {
		b.ready = m.madeReady(b.waypoint)
		c = m.differs(m.snapshot.RootNamespace(), supposed{whole: m.wholly([]binding{b}), single: m.singly([]binding{b})})
	}
	if c != nil {
		return fmt.Sprintf("on Namespace %s it would also change what %s does at %s", b.namespace, c.Object, c.Target)
	}
	return ""
}

// differs is what somebody would have to agree to about policies of a namespace where Namespaces are labelled, and not where only
// what needs it is; nil where there is nothing.
func (m *maker) differs(namespace string, s supposed) *Change {
	for o := range policiesOf(m.snapshot, []string{namespace}) {
		if m.until.over() {
			return nil
		}
		var singly []Change // worked out where it is needed
		worked := false
		for _, c := range changesOf(m.view, s.whole, o) {
			if !c.harms() {
				continue
			}
			if !worked {
				singly, worked = changesOf(m.view, s.single, o), true
			}
			if !slices.ContainsFunc(singly, func(o Change) bool { return o.key() == c.key() && o.Turn == c.Turn }) {
				return &c
			}
		}
	}
	return nil
}

// wholly is the mesh with Namespaces labelled.
func (m *maker) wholly(all []binding) *mesh.Snapshot {
	var with []*mesh.Object
	for _, b := range all {
		with = append(with, b.ready, labelled(b.on, m.newLabel(b.on.Ref(), b.waypoint, nil, "").labels()))
	}
	return m.snapshot.Edited(with, nil)
}

// singly is the mesh with waypoints to which no more is bound than needs them.
func (m *maker) singly(all []binding) *mesh.Snapshot {
	var with []*mesh.Object
	for _, b := range all {
		with = append(with, b.ready)
		for _, n := range b.needs {
			if o := serviceOf(m.snapshot, n.Target); o != nil {
				with = append(with, labelled(o, m.newLabel(o.Ref(), b.waypoint, nil, "").labels()))
			}
		}
	}
	return m.snapshot.Edited(with, nil)
}

// madeReady is the waypoint as it is when everything is done.
func (m *maker) madeReady(w *Waypoint) *mesh.Object {
	if w.Existing {
		return readyGateway(m.snapshot, w.Namespace, w.Name, w.For, w.Namespace)
	}
	return decode(gatewayManifest(w))
}
