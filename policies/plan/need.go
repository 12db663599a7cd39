package plan

import (
	"cmp"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Need is one reason for a waypoint: a policy, and what it names, for which a ready waypoint would make it stronger.
type Need struct {
	Target  policies.Target  `json:"target"`
	Policy  mesh.Ref         `json:"policy"`
	Field   string           `json:"field"`   // where the policy names the target
	Verdict policies.Verdict `json:"verdict"` // as it is
	Becomes policies.Verdict `json:"becomes"` // with a ready waypoint
	Reason  string           `json:"reason"`  // why it is as it is: consequence: cause. remedy.
}

// Blocked is a need that a plan cannot meet, because somebody has to decide something first.
type Blocked struct {
	Need
	Why string `json:"why"`
	// Bound is whether the plan binds its target all the same, as it is bound already. [Plan.Undecided] finds that out.
	Bound bool `json:"bound,omitempty"`
}

func compareNeeds(a, b Need) int {
	return cmp.Or(strings.Compare(a.Target.Namespace, b.Target.Namespace), strings.Compare(a.Target.Kind, b.Target.Kind),
		strings.Compare(a.Target.Name, b.Target.Name), a.Policy.Compare(b.Policy), strings.Compare(a.Field, b.Field))
}

// needKey is what compareNeeds tells needs apart by.
type needKey struct {
	target [3]string
	policy mesh.Ref
	field  string
}

func (n Need) key() needKey {
	return needKey{[3]string{n.Target.Namespace, n.Target.Kind, n.Target.Name}, n.Policy, n.Field}
}

// search finds the needs, sorted by target and policy, and those of which a waypoint alone would make no good: where it would deny what
// nobody means to deny, of some namespaces; nil is all. What cannot be judged is no need.
func search(view *policies.View, h *hypotheses, namespaces []string, until *deadline) (met []Need, blocked []Blocked) {
	for o := range policiesOf(view.Snapshot, namespaces) {
		if until.over() {
			return nil, nil
		}
		if o.Terminating || asksNothing(o) {
			continue
		}
		now := view.Effects(o)
		for _, t := range targetsOf(o, now) {
			before, ok := worst(now, o, t)
			if !ok || before.Verdict == policies.Unknown || !before.Verdict.FailsOpen() {
				continue
			}
			supposed := h.of(t)
			if supposed == nil {
				continue
			}
			after, _ := worst(policies.Effects(supposed.snapshot, supposed.snapshot.Get(o.Kind, o.Namespace, o.Name)), o, t)
			n := Need{Target: t, Policy: o.Ref(), Field: before.Field, Verdict: before.Verdict, Becomes: after.Verdict, Reason: before.Message}
			switch {
			case after.Verdict == policies.OverDenies, after.Verdict == policies.DeniesAll, after.Verdict == policies.Unknown:
				blocked = append(blocked, Blocked{Need: n, Why: after.Message})
			case before.Verdict.Worse(after.Verdict):
				met = append(met, n)
			}
		}
	}
	slices.SortFunc(met, compareNeeds)
	return met, blocked
}

// targetsOf are the targets of a policy's effects that a waypoint can serve. A ServiceEntry is about itself.
func targetsOf(o *mesh.Object, effects []policies.Effect) []policies.Target {
	if o.Kind == mesh.ServiceEntry {
		return []policies.Target{targetOf(o)}
	}
	var out []policies.Target
	for _, e := range effects {
		switch e.Target.Kind {
		case "Service", "ServiceEntry", "Gateway":
			if !slices.ContainsFunc(out, func(t policies.Target) bool { return same(t, e.Target) }) {
				out = append(out, e.Target)
			}
		}
	}
	return out
}

func targetOf(o *mesh.Object) policies.Target {
	return policies.Target{Kind: o.Kind.String(), Namespace: o.Namespace, Name: o.Name}
}

func same(a, b policies.Target) bool {
	return a.Kind == b.Kind && a.Namespace == b.Namespace && a.Name == b.Name
}

// worst is the effect that tells most about a target in ambient mode. What sidecars and gateways do is left out: no
// waypoint changes it.
func worst(effects []policies.Effect, o *mesh.Object, t policies.Target) (out policies.Effect, ok bool) {
	for _, e := range effects {
		if e.EnforcedBy == policies.Sidecar || e.EnforcedBy == policies.Gateway {
			continue
		}
		if o.Kind != mesh.ServiceEntry && !same(e.Target, t) {
			continue
		}
		if !ok || e.Verdict.Worse(out.Verdict) {
			out, ok = e, true
		}
	}
	return out, ok
}

// hypothesis is the mesh with a ready waypoint for one target.
type hypothesis struct {
	snapshot *mesh.Snapshot
	traffic  string // what the waypoint has to be for
}

type hypotheses struct {
	snapshot *mesh.Snapshot
	known    map[string]*hypothesis
}

// owned are the waypoints of ours that serve: of a policy that names one the mesh as it is stored tells what it does there.
func (h *hypotheses) owned(stored *mesh.Snapshot, managed Managed) {
	for ref := range managed {
		gw := find(stored, ref)
		if gw == nil || gw.Kind != mesh.Gateway || !managed.Made(gw) || !serves(stored, gw) {
			continue
		}
		h.known[targetOf(gw).String()] = &hypothesis{stored, stored.TrafficType(gw)}
	}
}

func newHypotheses(s *mesh.Snapshot) *hypotheses {
	return &hypotheses{snapshot: s, known: map[string]*hypothesis{}}
}

// of is nil where no waypoint could be any help: the target has one, or is not there, or does not run in ambient mode.
func (h *hypotheses) of(t policies.Target) *hypothesis {
	key := t.String()
	if out, ok := h.known[key]; ok {
		return out
	}
	var out *hypothesis
	switch t.Kind {
	case "Gateway":
		out = supposeGateway(h.snapshot, t)
	default:
		if o := serviceOf(h.snapshot, t); o != nil {
			out = supposeService(h.snapshot, o)
		}
	}
	h.known[key] = out
	return out
}

// serviceOf is the Service or ServiceEntry that a target is; nil for another target. A Gateway is none, though istiod makes
// a Service of its name.
func serviceOf(s *mesh.Snapshot, t policies.Target) *mesh.Object {
	switch t.Kind {
	case mesh.Service.String():
		return s.Get(mesh.Service, t.Namespace, t.Name)
	case mesh.ServiceEntry.String():
		return s.Get(mesh.ServiceEntry, t.Namespace, t.Name)
	}
	return nil
}

// supposeService gives a Service or ServiceEntry a ready waypoint. It is nil where it has one, or none is planned for it.
func supposeService(s *mesh.Snapshot, o *mesh.Object) *hypothesis {
	if b := s.Binding(o); b.Bound && usable(s, b.Gateway) || mesh.ManagedByGateway(o) || !inAmbient(s, o) {
		return nil
	}
	return waypointFor(s, o)
}

// waypointFor is the mesh with a ready waypoint for a Service or ServiceEntry: the one that it asks for, else one of its own.
func waypointFor(s *mesh.Snapshot, o *mesh.Object) *hypothesis {
	b := s.Binding(o)
	out := &hypothesis{traffic: forServices}
	if b.Opt == mesh.Asks && b.Reason == mesh.WaypointIsNotReady {
		out.snapshot = s.With(readyGateway(s, b.Namespace, b.Name, out.traffic, o.Namespace))
		return out
	}
	gw := newGateway(o.Namespace, freeName(s, o.Namespace, defaultName), out.traffic, nil)
	out.snapshot = s.Edited([]*mesh.Object{gw, labelled(o, map[string]string{label.IoIstioUseWaypoint.Name: gw.Name}, label.IoIstioUseWaypointNamespace.Name)}, nil)
	return out
}

// inAmbient is whether a waypoint would get the calls, as far as is known: something behind the Service is captured, or nothing is shown
// to be behind it.
func inAmbient(s *mesh.Snapshot, o *mesh.Object) bool {
	behind, shown := s.Backends(o)
	if !shown || len(behind) == 0 {
		return true
	}
	return slices.ContainsFunc(behind, func(w *mesh.Workload) bool { return w.Mode == mesh.ModeAmbient })
}

// supposeGateway makes a waypoint that a policy names ready, and gives it something to serve. A Gateway that is not
// there is taken for a waypoint only where something asks for it as one: it could be an ingress gateway.
func supposeGateway(s *mesh.Snapshot, t policies.Target) *hypothesis {
	stored := s.Get(mesh.Gateway, t.Namespace, t.Name)
	if stored != nil && !usable(s, stored) {
		return nil
	}
	for _, traffic := range []string{forServices, forWorkloads} {
		gw := readyGateway(s, t.Namespace, t.Name, traffic, t.Namespace)
		if stored != nil && mesh.Ready(stored) {
			gw = stored
		}
		with := s.With(gw)
		if serves(with, gw) {
			return &hypothesis{with, traffic}
		}
		ns := s.Get(mesh.Namespace, "", t.Namespace)
		if stored == nil || ns == nil || ns.Labels[label.IoIstioUseWaypoint.Name] != "" {
			continue
		}
		with = with.With(labelled(ns, map[string]string{label.IoIstioUseWaypoint.Name: gw.Name}, label.IoIstioUseWaypointNamespace.Name))
		if serves(with, gw) {
			return &hypothesis{with, traffic}
		}
	}
	return nil
}

// serves is whether calls come to a waypoint. They do not for a headless Service, though it is bound: it has no address of its own by
// which ztunnel would know it (ambient/services.go getVIPs), so its clients call pods, and for those there are waypoints for workloads.
func serves(s *mesh.Snapshot, gw *mesh.Object) bool {
	return slices.ContainsFunc(s.BoundTo(gw), func(o *mesh.Object) bool { return !mesh.Headless(o) }) || len(s.WorkloadsBoundTo(gw)) > 0
}
