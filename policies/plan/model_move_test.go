package plan

import (
	"maps"
	"slices"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Sequences in which what is bound moves: to a waypoint that somebody names, or of another class, at once or by steps, there and
// back, while proxies lag and connections are open.

// firstMove is the seed of the first of them. Those before it are as they were without moves.
const firstMove = 1 << 32

// besideLabels are the annotations that we set on objects with labels of ours.
var besideLabels = []string{ProfileAnnotation, LeftAnnotation, CanarySinceAnnotation, UnneededSinceAnnotation, annotation.IoIstioUseWaypointCanaryWeight.Name}

// withPeoples are the annotations that are applied, with those that people have written on what is stored.
func (m *model) withPeoples(stored *mesh.Object, metadata map[string]any) map[string]any {
	annotations, _ := metadata["annotations"].(map[string]any)
	annotations = maps.Clone(annotations)
	for _, key := range []string{MigrateAnnotation, StepsAnnotation, GoAnnotation} {
		if v, ok := stored.Annotations[key]; ok {
			annotations[key] = v
		}
	}
	return annotations
}

// runMove is a sequence of those with moves.
func runMove(seed uint64, mu mutation) (*model, string) {
	m := newModel(seed, mu.order)
	m.spoil = mu.spoil
	m.store(RefOf(mesh.GatewayClass, "", "other"), parse(`{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: other, uid: gc1}, spec: {controllerName: istio.io/mesh-controller}}`))
	for range 1 + m.rand.IntN(3) {
		m.writePolicy()
	}
	parts := []func() string{m.rest, m.made, m.rest, m.namesGateway, m.rest, m.migrates, m.rest, m.namesGateway, m.migrates, m.changes, m.rest, m.moved, m.rest, m.leaves}
	for _, part := range parts {
		if why := part(); why != "" {
			return m, why
		}
	}
	return m, m.end()
}

// namesGateway is a person who writes a policy for the waypoint itself, or deletes it.
func (m *model) namesGateway() string {
	const name = "l7-gateway.waypoint"
	o := parse(`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: ` + name + `, namespace: shop}, spec: {action: DENY, targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: waypoint}], rules: [{to: [{operation: {methods: [DELETE]}}]}]}}`)
	switch stored := m.latest().Get(mesh.AuthorizationPolicy, "shop", name); {
	case m.rand.IntN(3) == 0:
	case stored == nil && m.latest().Get(mesh.Gateway, "shop", "waypoint") != nil:
		m.note("a person writes %s", name)
		m.store(refOf(o), o)
	case stored != nil && m.rand.IntN(3) == 0:
		m.note("a person deletes %s", name)
		m.store(refOf(o), nil)
	}
	return m.random(20, (*model).proceed)
}

// migrates is a person who has another waypoint take the place of one, and may think better of it on the way.
func (m *model) migrates() string {
	gateways := slices.DeleteFunc(m.gateways(), func(gw *mesh.Object) bool { return gw.Terminating || gw.Annotations[MigrateAnnotation] != "" })
	if len(gateways) == 0 {
		return ""
	}
	for range m.rand.IntN(4) {
		m.open()
	}
	gw := gateways[m.rand.IntN(len(gateways))]
	steps := []string{"", "", "30/10s,60/20s", "100/5s"}[m.rand.IntN(4)]
	if m.rand.IntN(3) == 0 {
		m.reclass(steps)
	} else {
		m.annotate(gw, map[string]string{MigrateAnnotation: gw.Name + "-b", StepsAnnotation: steps})
	}
	if why := m.random(20+m.rand.IntN(80), (*model).passing); why != "" || m.rand.IntN(3) > 0 {
		return why
	}
	if stored := m.latest().Get(mesh.Gateway, gw.Namespace, gw.Name); stored != nil && stored.Annotations[MigrateAnnotation] != "" {
		m.annotate(stored, nil)
	} else {
		m.reclass("")
	}
	return m.random(60, (*model).passing)
}

// passing is one thing that happens, and the time that passes meanwhile.
func (m *model) passing() {
	m.tick(500e6)
	m.proceed()
}

// reclass is a profile that asks for waypoints of the other class.
func (m *model) reclass(steps string) {
	p := &m.setting.Profile
	if p.Steps = steps; p.GatewayClassName == "other" {
		p.GatewayClassName = ""
	} else {
		p.GatewayClassName = "other"
	}
	m.note("the profile asks for waypoints of class %q, by steps %q", p.GatewayClassName, steps)
	clear(m.plans)
}

// annotate is a person who writes what is to take the place of a Gateway, or takes that back.
func (m *model) annotate(gw *mesh.Object, annotations map[string]string) {
	m.note("a person annotates Gateway %s: %v", gw.Name, annotations)
	o := *gw
	o.Annotations = maps.Clone(gw.Annotations)
	for _, key := range []string{MigrateAnnotation, StepsAnnotation} {
		delete(o.Annotations, key)
		if v := annotations[key]; v != "" {
			o.Annotations[key] = v
		}
	}
	metadata := maps.Clone(o.Content()["metadata"].(map[string]any))
	written := map[string]any{}
	for k, v := range o.Annotations {
		written[k] = v
	}
	metadata["annotations"] = written
	content := maps.Clone(o.Content())
	content["metadata"] = metadata
	m.store(refOf(&o), o.WithContent(content))
}
