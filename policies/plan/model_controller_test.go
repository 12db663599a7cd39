package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

func yamlOf(text string) map[string]any {
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		panic(err)
	}
	return out
}

// world is what the controller knows: the mesh as it has seen it, and what can be found out about proxies now.
func (m *model) world(seen int) World {
	s := m.states[seen].snapshot
	e := Evidence{Managed: m.managedIn(s), Versions: map[mesh.Ref]string{}, Waypoints: map[mesh.Ref]Serving{},
		Convergence: Convergence{Acknowledged: m.acknowledged(), Written: maps.Clone(m.changed), Since: m.began}}
	for ref, n := range m.rv {
		e.Versions[ref] = fmt.Sprint(n)
	}
	counts := m.counts(e.Acknowledged)
	for gw := range s.All(mesh.Gateway) {
		serving := counts[refOf(gw)]
		serving.Ready = mesh.Ready(gw) && m.serves(gw.Key())
		e.Waypoints[refOf(gw)] = serving
	}
	m.entered(&e)
	if m.unseen != "" {
		e.Unseen = map[string]string{"shop": m.unseen}
	}
	settings := Settings{Default: m.setting, Namespaces: m.settings}
	view := policies.NewView(s)
	p, ok := m.plans[s]
	if !ok {
		p = Make(view, settings, e.Managed)
		if m.spoil != nil {
			m.spoil(&p, s)
		}
		m.plans[s] = p
	}
	return World{View: view, Settings: settings, Plan: p, Evidence: e, Now: m.now, order: m.order}
}

// managedIn is what our field manager owned when the mesh was as s.
func (m *model) managedIn(s *mesh.Snapshot) Managed {
	out := Managed{}
	for ref, labels := range m.managed {
		if find(s, ref) != nil {
			out[ref] = labels
		}
	}
	return out
}

// control is one turn of the controller, which may be killed before it writes. It is whether it wrote.
func (m *model) control(killed bool) bool {
	w := m.asKnown(m.world(m.seen))
	m.decided = decision{w, Next(w)}
	m.forget(m.decided.progress)
	steps := m.decided.progress.Steps()
	if len(steps) == 0 || killed {
		if killed {
			m.note("the controller is killed")
			m.began, m.changed, m.known = m.now, map[mesh.Ref]time.Time{}, evidence{}
			clear(m.tries)
			m.seen = len(m.states) - 1
		}
		return false
	}
	s := steps[m.rand.IntN(len(steps))]
	return m.write(s)
}

// write is what an API server does with a step. It is false where a precondition does not hold.
func (m *model) write(s Step) bool {
	stored := find(m.latest(), s.Object)
	if s.Preconditions.UID != "" && (stored == nil || stored.UID != s.Preconditions.UID) ||
		s.Preconditions.ResourceVersion != "" && s.Preconditions.ResourceVersion != fmt.Sprint(m.rv[s.Object]) ||
		s.Action == Apply && s.Preconditions.UID == "" && stored != nil {
		m.note("refused: %s %s", s.Row, s.Object)
		return false
	}
	if m.refuses(s, stored) {
		m.wasRefused(s, stored)
		return false
	}
	delete(m.tries, s.Object)
	m.note("%s %s: %s", s.Row, s.Object, s.Why)
	m.spared(s, stored)
	m.timesOut(s, stored)
	m.closes(s)
	m.unseenGone(s)
	was := m.states[len(m.states)-1]
	switch s.Action {
	case Delete:
		m.deleted(s.Object)
		m.store(s.Object, nil)
	case Apply:
		m.apply(s, stored)
	case Bind, Release:
		m.relabel(s, stored)
	}
	m.letsIn(s, &was, &m.states[len(m.states)-1])
	return true
}

// deleted is what follows from a Gateway that goes: its pods go, and with them what is connected through them.
func (m *model) deleted(ref mesh.Ref) {
	if ref.Kind == mesh.Gateway.String() {
		key := ref.Namespace + "/" + ref.Name
		delete(m.pods, key)
		delete(m.served, key)
	}
}

func (m *model) apply(s Step, stored *mesh.Object) {
	content := maps.Clone(s.Manifest)
	metadata := maps.Clone(content["metadata"].(map[string]any))
	metadata["uid"] = m.uid()
	if stored != nil {
		metadata["uid"] = stored.UID
		metadata["annotations"] = m.withPeoples(stored, metadata)
		if status := stored.Content()["status"]; status != nil {
			content["status"] = status
		}
	} else if s.Object.Kind == mesh.Gateway.String() {
		content["status"] = map[string]any{"addresses": []any{}}
	}
	content["metadata"] = metadata
	o := *decode(content)
	o.Live = true
	if o.Created = m.now; stored != nil {
		o.Created = stored.Created
	}
	m.managed[s.Object] = slices.Sorted(maps.Keys(o.Labels))
	m.store(s.Object, &o)
}

// relabel is a server-side apply of labels: what our field manager owned and no longer says goes.
func (m *model) relabel(s Step, stored *mesh.Object) {
	metadata := s.Manifest["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	o := labelled(stored, stringMap(labels), m.managed[s.Object]...)
	annotated := *o
	annotated.Annotations = maps.Clone(o.Annotations)
	if annotated.Annotations == nil {
		annotated.Annotations = map[string]string{}
	}
	maps.DeleteFunc(annotated.Annotations, func(k, _ string) bool { return slices.Contains(besideLabels, k) })
	annotations, _ := metadata["annotations"].(map[string]any)
	maps.Copy(annotated.Annotations, stringMap(annotations))
	was, at := m.states[len(m.states)-1], m.now
	if m.unsteady && !m.known.looked.IsZero() {
		at = m.known.looked.Add(-1) // it was ready then, as far as it was known
	}
	m.store(s.Object, &annotated)
	for _, svc := range services {
		for _, gw := range m.states[len(m.states)-1].waypointsOf(svc) {
			if !was.serves(svc, gw) {
				m.labelled[svc+" "+gw] = at
			}
		}
	}
	m.serving()
	m.shutsOut(s, &was)
	delete(m.managed, s.Object)
	if len(labels)+len(annotations) > 0 {
		m.managed[s.Object] = slices.Sorted(maps.Keys(labels))
	}
}

func stringMap(in map[string]any) map[string]string {
	out := map[string]string{}
	for k, v := range in {
		out[k] = v.(string)
	}
	return out
}

// settle lets everything take its course, without anything new. It is false where that does not end: where steps are taken for ever,
// or something is waited for though nobody has to decide anything.
func (m *model) settle() bool {
	idle := 0
	m.unseen = ""
	for range 300 {
		m.drift(true)
		if m.cut() != "" { // before it is at rest: what was told up to now is an excuse no more after that
			return true
		}
		m.seen = len(m.states) - 1
		w := m.world(m.seen)
		p := Next(w)
		m.listen(p)
		m.decided, m.known.ready, m.known.looked = decision{w, p}, nil, time.Time{}
		m.forget(p)
		switch {
		case len(p.Steps()) > 0:
			if m.write(p.Steps()[0]) {
				idle = 0
			} else {
				idle++
			}
		case idle > 20 && slices.ContainsFunc(p, func(c Course) bool { return len(c.Stopped) > 0 }):
			return true // what waits, waits for what has stopped
		case p.Done() && m.everybodyKnows():
			m.standing(&w.Plan)
			return true
		default:
			idle++
			m.tick(20 * time.Second)
			for range 1 + len(m.live)/10 {
				m.close() // nobody keeps one for ever
			}
		}
		if m.lets = m.complain(); m.lets != "" {
			return true // before it is at rest, as that
		}
	}
	return false
}

func (m *model) everybodyKnows() bool { return m.acknowledged().Equal(m.now) }

// drift moves istiods and proxies on, all of them or one.
func (m *model) drift(all bool) {
	if all {
		for i := range m.istiods {
			m.istiods[i] = versions{len(m.states) - 1, len(m.states) - 1, len(m.states) - 1}
		}
		for _, p := range m.proxies() {
			m.push(p)
		}
		for _, gw := range m.gateways() {
			if !m.serves(gw.Key()) || !mesh.Ready(gw) {
				m.readies()
			}
		}
		return
	}
	if m.rand.IntN(2) == 0 {
		of := &m.istiods[m.rand.IntN(len(m.istiods))]
		of.policies += m.rand.IntN(len(m.states) - of.policies)
		of.rest += m.rand.IntN(len(m.states) - of.rest)
		of.gateways += m.lag.IntN(len(m.states) - of.gateways)
		return
	}
	ps := m.proxies()
	m.push(ps[m.rand.IntN(len(ps))])
}

func (m *model) describeProgress() string {
	var b strings.Builder
	for _, c := range Next(m.world(len(m.states) - 1)) {
		fmt.Fprintf(&b, "%s removing=%v step=%v\n", c.Waypoint, c.Removing, c.Step)
		for _, w := range c.Waiting {
			fmt.Fprintf(&b, "  waits %s %s %s\n", w.Row, w.Object, w.Why)
		}
		for _, s := range c.Stopped {
			fmt.Fprintf(&b, "  stopped %s %s %s\n", s.Row, s.Object, s.Why)
		}
	}
	return b.String()
}
