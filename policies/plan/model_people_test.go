package plan

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// What people do.

// written are the policies that people write, by name; each may be there or not.
func (m *model) written(name string, variant int) *mesh.Object {
	who := [][]string{{"web"}, {"web", "ops"}, {"dev"}, {"ops", "dev"}}[variant%4]
	var principals []string
	for _, w := range who {
		principals = append(principals, "cluster.local/ns/shop/sa/"+w)
	}
	from := fmt.Sprintf("from: [{source: {principals: [%s]}}]", join(principals))
	kind, service, _ := cut(name)
	spec := map[string]string{
		"l7-deny":  fmt.Sprintf(`{action: DENY, targetRefs: [{kind: Service, group: "", name: %s}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}`, service),
		"l7-allow": fmt.Sprintf(`{action: ALLOW, targetRefs: [{kind: Service, group: "", name: %s}], rules: [{to: [{operation: {methods: [GET]}}]}]}`, service),
		"deny":     fmt.Sprintf(`{action: DENY, selector: {matchLabels: {app: %s}}, rules: [{%s}]}`, service, from),
		"allow":    fmt.Sprintf(`{action: ALLOW, selector: {matchLabels: {app: %s}}, rules: [{%s}]}`, service, from),
		"allow2":   fmt.Sprintf(`{action: ALLOW, selector: {matchLabels: {app: %s}}, rules: [{%s}]}`, service, from),
		"nothing":  `{action: ALLOW}`,
		"all-deny": fmt.Sprintf(`{action: DENY, rules: [{%s}]}`, from),
		"except":   fmt.Sprintf(`{action: DENY, selector: {matchLabels: {app: %s}}, rules: [{from: [{source: {notPrincipals: [%s]}}]}]}`, service, join(principals)),
	}[kind]
	return parse(fmt.Sprintf("{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: %s, namespace: %s}, spec: %s}", name, m.namespaceOf(service), spec))
}

// namespaceOf is where people write what they say of a Service, or of no Service in particular.
func (m *model) namespaceOf(service string) string {
	if i := slices.Index(services, service); i >= 0 {
		return m.home(service)
	}
	return map[string]string{"x": "shop", "y": "pay"}[service]
}

// names are of policies that people write; those that ask for a waypoint are there more often.
var names = []string{"l7-deny.cart", "l7-deny.cart", "l7-deny.ord", "l7-allow.cart", "deny.cart", "deny.ord", "allow.cart", "allow2.cart", "allow.ord", "nothing.x", "all-deny.x", "except.cart"}

func cut(name string) (string, string, bool) {
	for i := range name {
		if name[i] == '.' {
			return name[:i], name[i+1:], true
		}
	}
	return name, "", false
}

func join(in []string) string {
	out := ""
	for i, s := range in {
		if i > 0 {
			out += ", "
		}
		out += s
	}
	return out
}

// act is one thing that happens.
func (m *model) act() {
	m.startOrStop()
	switch n := m.rand.IntN(100); {
	case n < 12:
		m.writePolicy()
	case n < 14:
		m.edit()
	case n < 22:
		m.readies()
	case n < 50:
		m.drift(false)
	case n < 55:
		m.open()
	case n < 58:
		m.close()
	case n < 60:
		m.tick(90e9)
	case n < 63:
		m.control(true)
	default:
		if m.rand.IntN(4) > 0 {
			m.seen = len(m.states) - 1
		}
		m.control(false)
	}
	if m.everybodyKnows() {
		if p := Next(m.world(len(m.states) - 1)); p.Done() {
			m.atRest()
		}
	}
}

// startOrStop is pods that become ready, or fail.
func (m *model) startOrStop() {
	if m.setting.Pending == Guard && m.chance.IntN(12) == 0 {
		m.endpoints()
	}
	if m.varied && m.chance.IntN(40) == 0 {
		m.unseen = []string{"", "HTTPRoute a is not well formed"}[m.chance.IntN(2)]
		m.note("the controller sees not all: %q", m.unseen)
	}
	if m.contrary && m.whim.IntN(25) == 0 {
		m.relents()
	}
	if m.unsteady {
		m.shaky()
	}
}

// atRest is the state from which changes are judged.
func (m *model) atRest() {
	for _, p := range m.apps {
		if m.late[p.app] = m.unsaid(p.app); m.late[p.app] {
			continue // what people have said since the last rest is not in force yet, and that is told
		}
		m.calm[p.app] = len(m.states) - 1
		delete(m.broke, p.app)
		delete(m.told, p.app)
		m.shut[p.app] = m.lastAllow(p)
	}
	for svc := range m.closed {
		if o := m.guardAt(svc); o == nil || o.Annotations[HeldAnnotation] == "" {
			delete(m.closed, svc)
		}
	}
	for _, b := range m.world(len(m.states) - 1).Plan.Blocked {
		m.told[b.Target.Name] = true
	}
	for _, svc := range services {
		// Whoever binds a Service himself answers for it.
		o := m.service(svc)
		if l := o.Labels[label.IoIstioUseWaypoint.Name]; l != "" && l != "none" && len(m.managed[refOf(o)]) == 0 {
			m.broke[svc] = true
		}
	}
}

func (m *model) writePolicy() {
	choice := names
	if len(m.namespaces()) > 1 {
		choice = slices.Concat(names, []string{"nothing.y", "all-deny.y", "allow.ord", "except.ord"})
	}
	name := choice[m.rand.IntN(len(choice))]
	o := m.written(name, m.rand.IntN(4))
	if stored := find(m.latest(), refOf(o)); stored != nil && m.rand.IntN(2) == 0 {
		m.note("a person deletes %s", name)
		m.store(refOf(o), nil)
		return
	}
	m.note("a person writes %s: %v", name, o.Content()["spec"])
	m.store(refOf(o), o)
}

// edit is a person who changes labels.
func (m *model) edit() {
	svc := services[m.rand.IntN(len(services))]
	o := m.service(svc)
	key := label.IoIstioUseWaypoint.Name
	m.breaks(svc)
	defer m.disown(refOf(o), key)
	switch {
	case o.Labels[key] == "none" || o.Labels[key] != "" && !slices.Contains(m.managed[refOf(o)], key):
		m.note("a person takes the label off Service %s", svc)
		m.store(refOf(o), labelled(o, nil, key))
	case o.Labels[key] != "":
		m.note("a person takes our label off Service %s", svc)
		m.store(refOf(o), labelled(o, nil, key))
	case m.rand.IntN(2) == 0:
		m.note("a person opts Service %s out", svc)
		m.store(refOf(o), labelled(o, map[string]string{key: "none"}))
	default:
		m.note("a person labels Service %s", svc)
		m.store(refOf(o), labelled(o, map[string]string{key: "waypoint"}))
	}
}

// breaks is what follows from a person who changes what a Service is bound to: whoever does that answers for it, and connections that
// are open stay on their path.
func (m *model) breaks(svc string) {
	m.broke[svc] = true
	for i := range m.live {
		m.live[i].parted = m.live[i].parted || m.live[i].service == svc
	}
}

// disown is what an API server does when somebody else changes a field: it is no longer our field manager's.
func (m *model) disown(ref mesh.Ref, key string) {
	if keys, ok := m.managed[ref]; ok {
		m.managed[ref] = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == key })
	}
}

// optOut is a person who takes a Service out of its Namespace's waypoint.
func (m *model) optOut(svc string) {
	o := m.service(svc)
	m.note("a person opts Service %s out", svc)
	m.breaks(svc)
	m.store(refOf(o), labelled(o, map[string]string{label.IoIstioUseWaypoint.Name: "none"}))
	m.disown(refOf(o), label.IoIstioUseWaypoint.Name)
}

// open opens a connection where one is let through.
func (m *model) open() {
	c, p := clients[m.rand.IntN(len(clients))], m.apps[m.rand.IntN(len(m.apps))]
	if !m.answers(m.latest(), p.app) {
		return
	}
	for _, by := range m.ways(c, p.app) {
		// A waypoint that denies requests keeps the connection.
		if answer := m.call(c, p.app, "GET", p, by); answer == through || answer == denied && by.waypoint != "" {
			m.live = append(m.live, connection{client: c, service: p.app, to: p, way: by,
				parted: m.broke[p.app] && !m.states[len(m.states)-1].serves(p.app, by.waypoint)}) // its ztunnel has not heard of it yet
			m.note("%s connects to %s by %q", c.name, p.app, by.waypoint)
			return
		}
	}
}

func (m *model) close() {
	if len(m.live) > 0 {
		i := m.rand.IntN(len(m.live))
		m.live = slices.Delete(m.live, i, i+1)
	}
}
