package compliance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// coverage says of each namespace how far it is guarded, by name. Namespaces of which nothing was judged, and that hold
// neither workloads nor Services, are left out: there is nothing to guard.
func coverage(in *Input) []Coverage {
	c := readAllows(in)
	notIn := notInForce(in.Scan)
	policiesOf := map[string]map[mesh.Ref]bool{}
	for _, e := range in.Scan.Effects {
		if policiesOf[e.Object.Namespace] == nil {
			policiesOf[e.Object.Namespace] = map[mesh.Ref]bool{}
		}
		policiesOf[e.Object.Namespace][e.Object] = true
	}
	bindings := map[string][]report.Binding{}
	for _, b := range in.Scan.Bindings {
		bindings[b.Object.Namespace] = append(bindings[b.Object.Namespace], b)
	}
	found := map[string]report.SeverityCounts{}
	for i := range in.Scan.Findings {
		if f := &in.Scan.Findings[i]; !f.Exempt {
			counts := found[HomeOf(f.Object)]
			counts.Add(f.Severity)
			found[HomeOf(f.Object)] = counts
		}
	}
	out := []Coverage{}
	for name := range in.Snapshot.Namespaces() {
		one := c.namespace(name)
		one.NotInForce = notIn[name]
		one.Policies = Share{len(policiesOf[name]) - len(notIn[name]), len(policiesOf[name])}
		one.Waypoints = waypointsOf(bindings[name])
		one.Findings = found[name]
		if one.Workloads+one.Bound.Of+one.Policies.Of+one.Findings.Total() == 0 {
			continue
		}
		one.NotInForce, one.Waypoints = notNil(one.NotInForce), notNil(one.Waypoints)
		out = append(out, one)
	}
	return out
}

// HomeOf is the namespace that an object is counted in: a Namespace in itself.
func HomeOf(object mesh.Ref) string {
	if object.Kind == mesh.Namespace.String() {
		return object.Name
	}
	return object.Namespace
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// allows are the ALLOWs that are in force, by what they guard. Where one is, whoever it does not name is denied.
type allows struct {
	s *mesh.Snapshot
	// workload are policies by selector that a ztunnel or a sidecar carries out.
	workload map[mesh.Ref]bool
	// service and gateway are what ALLOWs at a waypoint guard: a Service that is named, or all Services of a waypoint.
	service, gateway map[string]bool
	// everywhere is whether one guards the Services of every waypoint.
	everywhere bool
}

func readAllows(in *Input) *allows {
	a := &allows{s: in.Snapshot, workload: map[mesh.Ref]bool{}, service: map[string]bool{}, gateway: map[string]bool{}}
	for _, e := range in.Scan.Effects {
		kind, ok := mesh.KindOf(e.Object.APIVersion, e.Object.Kind)
		if !ok || kind != mesh.AuthorizationPolicy {
			continue
		}
		o := in.Snapshot.Get(kind, e.Object.Namespace, e.Object.Name)
		if o == nil || policies.Action(o.Spec.(*mesh.AuthorizationPolicySpec)) != policies.Allow {
			continue
		}
		a.note(o, &e.Effect)
	}
	return a
}

func (a *allows) note(o *mesh.Object, e *policies.Effect) {
	switch e.EnforcedBy {
	case policies.Ztunnel, policies.Sidecar:
		a.workload[o.Ref()] = true
	case policies.Waypoint:
		switch {
		case e.Target.Kind == mesh.Service.String() || e.Target.Kind == mesh.ServiceEntry.String():
			a.service[e.Target.Kind+" "+e.Target.Namespace+"/"+e.Target.Name] = true
		case e.By != nil:
			a.gateway[e.By.Namespace+"/"+e.By.Name] = true
		case e.Target.Kind == mesh.GatewayClass.String():
			a.everywhere = true
		}
	}
}

// namespace is what there is to say of the workloads and Services of one.
func (a *allows) namespace(name string) Coverage {
	out := Coverage{Namespace: name, Known: a.s.Known(name)}
	for _, w := range a.s.Workloads(name) {
		if w.Mode == mesh.ModeGateway || w.Mode == mesh.ModeWaypoint {
			continue // they guard, and are not guarded by enrolment
		}
		out.Workloads++
		if w.Mode != mesh.ModeAmbient && w.Mode != mesh.ModeSidecar {
			continue
		}
		out.Enrolled.N++
		if a.strict(w) {
			out.Strict.N++
		}
		if slices.ContainsFunc(a.s.PoliciesOver(w), func(o *mesh.Object) bool { return a.workload[o.Ref()] }) {
			out.DenyL4.N++
		}
	}
	out.Enrolled.Of, out.Strict.Of, out.DenyL4.Of = out.Workloads, out.Workloads, out.Workloads
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry} {
		for _, svc := range a.s.List(kind, name) {
			if kind == mesh.Service && (mesh.ExternalName(svc) || len(svc.Spec.(*mesh.ServiceSpec).Selector) == 0) {
				continue // there are no pods of the mesh behind it
			}
			out.Bound.Of++
			b := a.s.Binding(svc)
			if !b.Bound {
				continue
			}
			out.Bound.N++
			if a.everywhere || a.service[svc.String()] || b.Gateway != nil && a.gateway[b.Gateway.Key()] {
				out.DenyL7.N++
			}
		}
	}
	out.DenyL7.Of = out.Bound.Of
	return out
}

// strict is whether a workload that is captured takes no plaintext, on whatever port.
func (a *allows) strict(w *mesh.Workload) bool {
	m := a.s.EffectiveMTLS(w.Namespace, w.Labels)
	if w.Mode == mesh.ModeSidecar {
		m = a.s.Peers(w.Namespace, w.Labels, true).Composed()
	}
	if !m.Strict || m.Dangling || mesh.Bypassed(w) {
		return false
	}
	for _, strict := range m.Ports {
		if !strict {
			return false
		}
	}
	return true
}

// inForce are the verdicts of a policy that does what it says.
func inForce(v policies.Verdict) bool { return v == policies.Enforced }

// notInForce are the policies that do not do what they say, by namespace and then by kind and name. Of several effects the
// first that says so is told.
func notInForce(scan *report.ScanResult) map[string][]NotInForce {
	seen := map[mesh.Ref]bool{}
	out := map[string][]NotInForce{}
	for _, e := range scan.Effects {
		if inForce(e.Verdict) || seen[e.Object] {
			continue
		}
		seen[e.Object] = true
		ns := e.Object.Namespace
		out[ns] = append(out[ns], NotInForce{Object: e.Object, Verdict: e.Verdict, Message: e.Message})
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b NotInForce) int { return a.Object.Compare(b.Object) })
	}
	return out
}

// waypointsOf are the waypoints that the Services of a namespace ask for, those that serve last.
func waypointsOf(bindings []report.Binding) []Waypoint {
	type key struct{ namespace, name, reason string }
	found := map[key]*Waypoint{}
	for _, b := range bindings {
		k := key{reason: b.Reason}
		if b.Waypoint != nil {
			k.namespace, k.name = b.Waypoint.Namespace, b.Waypoint.Name
		}
		if found[k] == nil {
			found[k] = &Waypoint{Namespace: k.namespace, Name: k.name, Reason: k.reason, Message: b.Message}
		}
		found[k].Services++
	}
	var out []Waypoint
	for _, k := range slices.SortedFunc(maps.Keys(found), func(a, b key) int {
		if (a.reason == mesh.WaypointAccepted) != (b.reason == mesh.WaypointAccepted) {
			return map[bool]int{true: 1, false: -1}[a.reason == mesh.WaypointAccepted]
		}
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	}) {
		out = append(out, *found[k])
	}
	return out
}
