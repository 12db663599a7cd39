package rules

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/sieve"
)

// Questions about who stands for an object, and about the layers that judge calls to it.

var (
	workloadsOf = answered("mesh.workloads_of", "the workloads that an object stands for, as they will be: what a template makes, a pod that nothing else makes, what is behind a Service, a plain pod in a Namespace; undefined for what another object stands for, and where it is not shown",
		ofObject, objects, (*session).standing)
	workloadsAs = answered("mesh.workloads_as", "the workloads of a namespace that run as a service account", []string{"namespace", "serviceAccount"}, objects,
		func(s *session, a arguments) sieve.Value {
			var out []*mesh.Workload
			for _, w := range s.view.Workloads(a[0]) {
				if w.ServiceAccount == a[1] {
					out = append(out, w)
				}
			}
			return listOfSeen(out, s.workloadSeen)
		})
	layers = answered("mesh.layers", "the layers that can enforce AuthorizationPolicies for a workload, a Service, a Namespace (its plain pods) or a waypoint, and what they refuse; undefined where the input does not show all that holds there",
		ofObject, types.NewArray(nil, anObject), (*session).layers)
	admits = question("mesh.admits", "whether what stands before workloads may let in a caller of a principal that comes to the pods themselves; undefined where the input does not show all that holds there",
		[]string{"kind", "namespace", "name", "principal"}, types.B, func(s *session, a arguments) *ast.Term {
			all, _ := s.workloadsOf(s.kind(a[0]), a[1], a[2])
			unknown := slices.ContainsFunc(all, func(w *mesh.Workload) bool { return w.Mode == mesh.ModeUnknown })
			if len(all) == 0 || unknown || !s.view.Known(a[1]) || !s.view.Known(s.view.RootNamespace()) {
				return nil
			}
			return truth(policies.Admits(s.view.Snapshot, all, a[3]))
		})
)

// standing are the workloads of mesh.workloads_of. Of pods of one owner that is not in the input, the first stands for all.
func (s *session) standing(a arguments) sieve.Value {
	all := s.stands(a)
	if len(all) == 0 {
		return sieve.Value{}
	}
	return listOfSeen(all, s.workloadSeen)
}

func (s *session) stands(a arguments) []*mesh.Workload {
	kind, ns, name := s.kind(a[0]), a[1], a[2]
	if kind == mesh.Namespace {
		return []*mesh.Workload{s.view.Imagine(name, nil)}
	}
	o := s.view.Get(kind, ns, name)
	if o == nil {
		return nil
	}
	switch kind {
	case mesh.Pod:
		all := s.view.Siblings(o)
		if s.view.Maker(o) != nil || len(all) == 0 || all[0].Source != o {
			return nil
		}
		return all[:1]
	case mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Job, mesh.CronJob:
		if s.view.Maker(o) != nil {
			return nil
		}
		return []*mesh.Workload{s.view.Template(o)}
	}
	all, _ := s.workloadsOf(kind, ns, name)
	return all
}

// layer is one place at which AuthorizationPolicies are enforced.
type layer struct {
	enforcedBy policies.EnforcedBy
	by         *mesh.Object
	// closed is whether what no policy admits is denied, and guarded whether strangers and plaintext are refused at all ports.
	closed, guarded bool
}

var layerFields = fields[layer]{
	{"enforcedBy", func(l layer) sieve.Value { return sieve.Text(l.enforcedBy) }},
	{"closed", func(l layer) sieve.Value { return sieve.Truth(l.closed) }},
	{"by", func(l layer) sieve.Value {
		if l.by == nil {
			return sieve.Value{}
		}
		return refSeen(l.by.Ref())
	}},
	{"guarded", func(l layer) sieve.Value {
		if l.by != nil {
			return sieve.Value{}
		}
		return sieve.Truth(l.guarded)
	}},
}

func layerSeen(l layer) sieve.Value { return seen(l, layerFields) }

func (s *session) layers(a arguments) sieve.Value {
	kind, ns := s.kind(a[0]), a[1]
	if kind == mesh.Namespace {
		ns = a[2]
	}
	if !s.view.Known(ns) || !s.view.Known(s.view.RootNamespace()) {
		return sieve.Value{}
	}
	var out []layer
	shown := true
	switch kind {
	case mesh.Service, mesh.ServiceEntry:
		out, shown = s.layersOfService(kind, ns, a[2])
	case mesh.Gateway:
		gw := s.view.Get(kind, ns, a[2])
		if gw == nil || s.view.ClassOf(gw) != mesh.ClassWaypoint || s.view.Sandwiched(gw) {
			return sieve.Value{}
		}
		out = append(out, s.atWaypoint(gw, policies.OnWaypoint(s.view.Snapshot, mesh.AuthorizationPolicy, gw)))
	default:
		out, shown = s.atPods(s.stands(a))
	}
	if !shown {
		return sieve.Value{}
	}
	return listOfSeen(out, layerSeen)
}

func (s *session) layersOfService(kind mesh.Kind, ns, name string) (out []layer, shown bool) {
	svc := s.view.Get(kind, ns, name)
	if svc == nil {
		return nil, false
	}
	b := s.view.Binding(svc)
	switch {
	case b.Reason == mesh.ReasonUnknown:
		return nil, false
	case b.Bound && (s.view.ClassOf(b.Gateway) != mesh.ClassWaypoint || s.view.Sandwiched(b.Gateway) || !s.view.Known(b.Gateway.Namespace)):
		return nil, false
	case b.Bound && !mesh.Headless(svc):
		out = append(out, s.atWaypoint(b.Gateway, policies.OnChain(s.view.Snapshot, mesh.AuthorizationPolicy, svc)))
	}
	behind, _ := s.view.Backends(svc)
	pods, shown := s.atPods(behind)
	if b.Bound && s.view.Settings().Flag("PILOT_AUTO_ALLOW_WAYPOINT_POLICY", false) {
		for i := range pods { // istiod admits the waypoint there, and so nobody else
			pods[i].closed, pods[i].guarded = true, true
		}
	}
	return append(out, pods...), shown
}

func (s *session) atWaypoint(gw *mesh.Object, chain []*mesh.Object) layer {
	return layer{enforcedBy: policies.Waypoint, by: gw, closed: s.closes(chain)}
}

// atPods are the layers before workloads, one for each way in which they are captured; gateways are their own business.
func (s *session) atPods(all []*mesh.Workload) (out []layer, shown bool) {
	for _, by := range []struct {
		mode mesh.Mode
		by   policies.EnforcedBy
	}{{mesh.ModeAmbient, policies.Ztunnel}, {mesh.ModeSidecar, policies.Sidecar}} {
		var some []*mesh.Workload
		open := false
		for _, w := range all {
			switch w.Mode {
			case mesh.ModeUnknown:
				return nil, false
			case by.mode:
				some = append(some, w)
				open = open || !s.closes(s.over(w))
			}
		}
		if len(some) > 0 {
			out = append(out, layer{enforcedBy: by.by, closed: !open, guarded: by.mode == mesh.ModeAmbient && policies.Guarded(s.view.Snapshot, some)})
		}
	}
	return out, true
}

// over are the AuthorizationPolicies without targetRefs that what captures a workload applies to it.
func (s *session) over(w *mesh.Workload) []*mesh.Object {
	if w.Mode == mesh.ModeAmbient {
		return slices.Concat(policies.AllowsAt(s.view.Snapshot, w), policies.DeniesAt(s.view.Snapshot, w))
	}
	return s.view.PoliciesOver(w)
}

// closes is whether policies of one layer leave nothing admitted that none of them names.
func (s *session) closes(all []*mesh.Object) bool {
	closed := false
	for _, o := range all {
		spec := o.Spec.(*mesh.AuthorizationPolicySpec)
		if policies.DryRun(s.view.Snapshot, o) || s.view.OtherRevision(o) {
			continue
		}
		switch policies.Action(spec) {
		case policies.Allow:
			if policies.MatchesAll(spec) {
				return false
			}
			closed = true
		case policies.Deny:
			closed = closed || policies.MatchesAll(spec)
		}
	}
	return closed
}
