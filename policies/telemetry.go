package policies

import (
	"fmt"
	"slices"
	"strconv"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// telemetry judges a Telemetry (docs/semantics.md). It is the one kind that a waypoint applies
// from the whole namespace and the whole mesh, and of which it reads targetRefs only from the
// Service's own namespace (pilot/pkg/model/telemetry.go applicableTelemetries).
func telemetry(s *mesh.Snapshot, o *mesh.Object) []Effect {
	p := o.Spec.(*mesh.TelemetrySpec)
	if e, unseen := unseen(s, o); unseen {
		return []Effect{e}
	}
	switch {
	case len(p.Attachment().Refs()) > 0:
		return telemetryTargets(s, o, p)
	case p.Wide():
		return telemetryWide(s, o, p)
	}
	// In contrast to other kinds, a selector in the root namespace stays there.
	r := reach{target: Target{Kind: ScopeSelector, Namespace: o.Namespace, Labels: p.Selector.MatchLabels}}
	r.fill(s, o.Namespace, p.Selector.MatchLabels)
	r.waypointPods(s)
	return scopePolicy{what: "this Telemetry", field: "spec.selector", sidecars: true, gateways: true,
		reason: NeedsTargetRefs, why: "ztunnel reads no Telemetry, and a waypoint none with a selector",
		remedy: "Bind it to the Services with targetRefs, or leave the selector out so that it holds for the namespace.",
	}.effects(r)
}

func telemetryWide(s *mesh.Snapshot, o *mesh.Object, p *mesh.TelemetrySpec) []Effect {
	r := reachOf(s, o, nil)
	if first := s.Telemetry(o.Namespace); first != o {
		return []Effect{nobody(r.target, NotEnforced, OlderExists, "metadata.namespace", fmt.Sprintf(
			"this Telemetry has no effect: of those for a whole namespace only the oldest counts, and that is %s (of the same age: the first by name). Merge the two.", first))}
	}
	scope := scopePolicy{what: "this Telemetry", field: "metadata.namespace", sidecars: true, gateways: true}
	out := scope.at(r)
	read := telemetryReaders(s, o)
	switch {
	case len(read.waypoints) > 0:
		e := Effect{Target: r.target, EnforcedBy: Waypoint, By: waypointRef(read.waypoints), Verdict: Enforced, Reason: Accepted}
		e.Message = "the waypoints apply it as written."
		if e.By != nil {
			e.Message = "waypoint " + read.waypoints[0].Key() + " applies it as written."
		}
		judgeMode(p, &e)
		out = append(out, e)
	case len(out) > 0:
	default:
		out = append(out, unreadTelemetry(s, scope, r, read))
	}
	return out
}

// unreadTelemetry is a Telemetry of a whole namespace or mesh that nothing reads now.
func unreadTelemetry(s *mesh.Snapshot, scope scopePolicy, r reach, read readers) Effect {
	switch {
	case read.pending != nil:
		e := nobody(r.target, Pending, mesh.WaypointIsNotReady, scope.field, fmt.Sprintf(
			"this Telemetry has no effect yet: ztunnel reads none, and waypoint %s serves nothing yet%s. Find out why, if it takes long.", read.pending.Key(), waitingFor(s, read.pending)))
		ref := read.pending.Ref()
		e.By = &ref
		return e
	case read.missing != "":
		e := nobody(r.target, Unknown, NotInInput, scope.field, fmt.Sprintf(
			"it cannot be judged: %s is not in the input, so nobody can tell whether a waypoint applies it. Add it, or use --live.", read.missing))
		e.WaitsFor = waitFor(read.missing)
		return e
	case read.other != nil && s.ClassOf(read.other) == mesh.ClassAgentgateway:
		return nobody(r.target, NotEnforced, Agentgateway, scope.field, fmt.Sprintf(
			"this Telemetry has no effect: waypoint %s runs agentgateway, which reads none. Run the waypoint as class %s.", read.other.Key(), mesh.WaypointClassName))
	case read.other != nil:
		return nobody(r.target, Unknown, ForeignGateway, scope.field, fmt.Sprintf(
			"it cannot be judged: Services are bound to %s, which is run by somebody else's controller. Ask its maker what it reads.", read.other))
	case len(r.ambient) > 0:
		on := &mesh.Ref{APIVersion: "v1", Kind: "Namespace", Name: r.ambient[0].Namespace}
		scope.reason, scope.why = AncestorNotBound, "ztunnel reads no Telemetry, and nothing in its scope is bound to a waypoint"
		scope.remedy = fmt.Sprintf("Make a waypoint, then give the Services or their Namespace label %s.", label.IoIstioUseWaypoint.Name)
		scope.waits = []Wait{{Label: label.IoIstioUseWaypoint.Name, On: on}}
		if read.tooOld != nil {
			scope.why = fmt.Sprintf("in Istio 1.30.2 and older, waypoint %s reads one of a whole namespace only from its own", read.tooOld.Key())
			scope.remedy, scope.waits = "Upgrade Istio, or bind the Telemetry to the Services with targetRefs.", nil
		}
		return scope.unenforced(r)
	}
	return scope.nothing(r)
}

// readers are the waypoints that read a Telemetry of a whole namespace or mesh.
type readers struct {
	waypoints []*mesh.Object
	pending   *mesh.Object // would be one if it were ready and its Services bound
	other     *mesh.Object // somebody else's proxy, to which Services are bound
	tooOld    *mesh.Object // would be one in a newer Istio
	missing   string       // what hides whether there is one
}

// telemetryReaders: those in the namespace, and those that serve a Service of it; from the root
// namespace all.
func telemetryReaders(s *mesh.Snapshot, o *mesh.Object) readers {
	var r readers
	for gw := range s.AllUnder(mesh.Gateway, o.Namespace) {
		switch {
		case !ownWaypoint(s, gw):
		case !mesh.Ready(gw):
			if wanted(s, gw) {
				r.pending = gw
			}
		case serving(s, gw):
			r.waypoints = append(r.waypoints, gw)
		}
	}
	if o.Namespace == s.RootNamespace() {
		return r
	}
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} {
		for _, svc := range s.List(kind, o.Namespace) {
			b := s.Binding(svc)
			switch own := ownWaypoint(s, b.Gateway); {
			case b.Bound && own && b.Gateway.Namespace != o.Namespace && !telemetryCrosses(s):
				r.tooOld = b.Gateway
			case b.Bound && own:
				r.waypoints = addOnce(r.waypoints, b.Gateway)
			case b.Bound:
				r.other = b.Gateway
			case b.Reason == mesh.WaypointIsNotReady && own:
				r.pending = b.Gateway
			case b.Reason == mesh.ReasonUnknown:
				r.missing = b.Missing
			case b.Opt == mesh.AsksNothing:
				switch gw, _ := s.Awaited(svc); {
				case gw == nil:
				case gw.Namespace != o.Namespace && !telemetryCrosses(s):
					r.tooOld = gw
				default:
					r.pending = gw
				}
			}
		}
	}
	return r
}

// telemetryCrosses is whether a waypoint reads the Telemetry of the Service's whole namespace where
// that is not its own: istio/istio#60665.
func telemetryCrosses(s *mesh.Snapshot) bool { return s.Settings().Version.AtLeast(1, 30, 3) }

func telemetryTargets(s *mesh.Snapshot, o *mesh.Object, p *mesh.TelemetrySpec) []Effect {
	var out []Effect
	for _, a := range attach(s, o, p.Attachment()) {
		e := a.effect("this Telemetry")
		if a.applied() {
			e.Message = proxyOf(a) + " applies it as written."
			if !a.gateway {
				judgeReading(s, o, a, &e)
			}
			if e.EnforcedBy == Waypoint && e.Verdict == Enforced {
				judgeMode(p, &e)
			}
		}
		out = mergeTargets(out, e)
	}
	return out
}

// judgeReading judges by the namespaces of the Services behind the target: for a call to a Service,
// a waypoint reads Telemetry with targetRefs only in that Service's namespace (istio/istio#61538);
// for a call to a pod, only in its own.
func judgeReading(s *mesh.Snapshot, o *mesh.Object, a *attachment, e *Effect) {
	var foreign *mesh.Object
	read := 0
	for _, svc := range a.services {
		if svc.Namespace == o.Namespace {
			read++
		} else if foreign == nil {
			foreign = svc
		}
	}
	if foreign == nil {
		return
	}
	if a.direct && a.by == nil { // a GatewayClass: only waypoints of the root namespace count
		a.direct = false
		for _, gw := range s.List(mesh.Gateway, o.Namespace) {
			a.direct = a.direct || ownWaypoint(s, gw) && len(s.WorkloadsBoundTo(gw)) > 0
		}
	}
	why := fmt.Sprintf("for calls to %s the waypoint reads only Telemetry of Namespace %s", foreign.Ref(), foreign.Namespace)
	remedy := "Leave targetRefs out, so that it holds for the whole namespace or mesh, or put one into the Service's namespace."
	if read == 0 && !a.direct {
		e.limit(NotEnforced, OtherNamespace, a.field, "this Telemetry has no effect", why, remedy)
		return
	}
	e.limit(PartiallyEnforced, OtherNamespace, a.field, "this Telemetry holds for a part of the calls only", why, remedy)
}

// judgeMode judges what a Telemetry says of the client's side, which a waypoint never is. Turning
// off there what does not exist anyway changes nothing.
func judgeMode(p *mesh.TelemetrySpec, e *Effect) {
	dead, alive := ClientSettings(p)
	switch {
	case len(dead) == 0:
	case alive == 0:
		e.limit(NotEnforced, ClientMode, dead[0], "this Telemetry has no effect at waypoints",
			"all that it sets is for the client's side of calls (mode CLIENT), and a waypoint is the server's", "Set the mode to SERVER or CLIENT_AND_SERVER.")
	default:
		e.limit(PartiallyEnforced, ClientMode, dead[0], "a part of this Telemetry has no effect at waypoints",
			"it is for the client's side of calls (mode CLIENT), and a waypoint is the server's", "Set the mode to SERVER or CLIENT_AND_SERVER.")
	}
}

// ClientSettings are the fields of a Telemetry that ask for something at the client's side only, and
// how many settings of it a waypoint can apply.
func ClientSettings(p *mesh.TelemetrySpec) (dead []string, alive int) {
	take := func(list []mesh.TelemetrySetting, at string) {
		for i, t := range list {
			switch {
			case t.Mode() != "CLIENT":
				alive++
			case !t.Off():
				dead = append(dead, at+"["+strconv.Itoa(i)+"].match.mode")
			}
		}
	}
	take(p.AccessLogging, "spec.accessLogging")
	take(p.Tracing, "spec.tracing")
	for i, m := range p.Metrics {
		if len(m.Providers) > 0 || m.ReportingInterval != "" {
			alive++
		}
		// What is said of the client's metrics often stands beside the same for the server's.
		if slices.ContainsFunc(m.Overrides, func(t mesh.TelemetrySetting) bool { return t.Mode() != "CLIENT" }) {
			alive++
			continue
		}
		take(m.Overrides, "spec.metrics["+strconv.Itoa(i)+"].overrides")
	}
	return dead, alive
}
