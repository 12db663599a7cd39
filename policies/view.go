package policies

import "github.com/waywarden/waywarden/policies/mesh"

// View is a Snapshot with what has been found out about it so far. Effects are computed once per
// object and shared by all checks. A View is for one goroutine.
type View struct {
	*mesh.Snapshot
	// Occasion is why the checks are asked; set it before the first of them is.
	Occasion Occasion

	effects  map[*mesh.Object]found[[]Effect]
	answers  map[string]found[any]
	failures []Failure
	skips    []Skip
}

// found is an answer that is given again, and what was asked of the Snapshot to find it, where that is taken down.
type found[T any] struct {
	answer T
	reads  []mesh.Read
}

// NewView starts an evaluation of s.
func NewView(s *mesh.Snapshot) *View {
	return &View{Snapshot: s, effects: map[*mesh.Object]found[[]Effect]{}, answers: map[string]found[any]{}}
}

// Once answers a question about the whole mesh the first time that it is asked in an evaluation, and
// remembers the answer under the question's name.
func Once[T any](v *View, question string, answer func(*mesh.Snapshot) T) T {
	if a, ok := Known[T](v, question); ok {
		return a
	}
	outer := v.Begin()
	a := answer(v.Snapshot)
	v.answers[question] = found[any]{a, v.End(outer)}
	return a
}

// Known is what Once remembers under a question's name, for who asks so often that to say how it is answered costs too much.
func Known[T any](v *View, question string) (answer T, ok bool) {
	f, ok := v.answers[question]
	if !ok {
		return answer, false
	}
	v.Again(f.reads)
	return f.answer.(T), true
}

// Effects are all effects of a policy, sorted by target and enforcer. Every policy has at least
// one; other objects have none. Do not write to them.
func (v *View) Effects(o *mesh.Object) []Effect {
	if !o.Kind.IsPolicy() {
		return nil
	}
	if f, ok := v.effects[o]; ok {
		v.Again(f.reads)
		return f.answer
	}
	outer := v.Begin()
	e := Effects(v.Snapshot, o)
	v.effects[o] = found[[]Effect]{e, v.End(outer)}
	return e
}

// Effects says what a policy really does, target by target.
func Effects(s *mesh.Snapshot, o *mesh.Object) []Effect {
	judge, ok := judges[o.Kind]
	if !ok {
		return nil
	}
	effects := abroad(s, o, judge(s, o))
	for i := range effects {
		e := &effects[i]
		e.Object = o.Ref()
		e.At = e.By
		if e.EnforcedBy == Nobody {
			e.By = nil
		}
		if e.WaitsFor == nil {
			e.WaitsFor = []Wait{}
		}
	}
	return sortEffects(effects)
}

// judges hold the semantics, one file a kind.
var judges = map[mesh.Kind]func(*mesh.Snapshot, *mesh.Object) []Effect{
	mesh.AuthorizationPolicy:   authorizationPolicy,
	mesh.PeerAuthentication:    peerAuthentication,
	mesh.RequestAuthentication: requestAuthentication,

	mesh.VirtualService:        virtualService,
	mesh.DestinationRule:       destinationRule,
	mesh.ServiceEntry:          serviceEntry,
	mesh.Sidecar:               sidecarResource,
	mesh.HTTPRoute:             route,
	mesh.GRPCRoute:             route,
	mesh.TCPRoute:              route,
	mesh.TLSRoute:              route,
	mesh.BackendTLSPolicy:      backendPolicy,
	mesh.XBackendTrafficPolicy: backendPolicy,
	mesh.InferencePool:         inferencePool,
	mesh.EnvoyFilter:           envoyFilter,
	mesh.WasmPlugin:            extension,
	mesh.TrafficExtension:      extension,
	mesh.Telemetry:             telemetry,
	mesh.ProxyConfig:           proxyConfig,
}
