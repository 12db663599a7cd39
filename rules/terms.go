package rules

import (
	"cmp"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/sieve"
)

// What the mesh answers, as terms. A term that was handed out is never written to again.

// field is one field of an object.
type field struct {
	key   string
	value *ast.Term
}

func object(fields ...field) *ast.Term {
	pairs := make([][2]*ast.Term, 0, len(fields))
	for _, f := range fields {
		if f.value != nil {
			pairs = append(pairs, [2]*ast.Term{ast.InternedTerm(f.key), f.value})
		}
	}
	return ast.NewTerm(ast.NewObject(pairs...))
}

func text[T ~string](s T) *ast.Term       { return ast.InternedTerm(string(s)) }
func truth(b bool) *ast.Term              { return ast.InternedTerm(b) }
func number[N int | int32](n N) *ast.Term { return ast.InternedTerm(int(n)) }

func array[T any](of []T, term func(T) *ast.Term) *ast.Term {
	out := make([]*ast.Term, len(of))
	for i := range of {
		out[i] = term(of[i])
	}
	return ast.NewTerm(ast.NewArray(out...))
}

var refFields = fields[mesh.Ref]{
	{"kind", func(r mesh.Ref) sieve.Value { return sieve.Text(r.Kind) }},
	{"namespace", func(r mesh.Ref) sieve.Value { return sieve.Text(r.Namespace) }},
	{"name", func(r mesh.Ref) sieve.Value { return sieve.Text(r.Name) }},
}

func refSeen(r mesh.Ref) sieve.Value { return seen(r, refFields) }

// textsSeen are labels, which are an object even where there are none.
func textsSeen(of map[string]string) sieve.Value {
	if of == nil {
		of = noLabels
	}
	return sieve.Of(of)
}

var noLabels = map[string]string{}

var effectFields = fields[*effect]{
	{"object", func(e *effect) sieve.Value { return refSeen(e.Object) }},
	{"target", func(e *effect) sieve.Value { return seen(&e.Target, targetFields) }},
	{"enforcedBy", func(e *effect) sieve.Value { return sieve.Text(e.EnforcedBy) }},
	{"by", func(e *effect) sieve.Value {
		if e.At == nil {
			return sieve.Value{}
		}
		return refSeen(*e.At)
	}},
	{"verdict", func(e *effect) sieve.Value { return sieve.Text(e.Verdict) }},
	{"reason", func(e *effect) sieve.Value { return sieve.Text(e.Reason) }},
	{"message", func(e *effect) sieve.Value { return sieve.Text(e.Message) }},
	{"workloads", func(e *effect) sieve.Value { return sieve.Number(int64(e.Workloads)) }},
	{"failsOpen", func(e *effect) sieve.Value { return sieve.Truth(e.Verdict.FailsOpen()) }},
	{"waits", func(e *effect) sieve.Value { return sieve.Truth(len(e.WaitsFor) > 0) }},
}

var targetFields = fields[*policies.Target]{
	{"kind", func(t *policies.Target) sieve.Value { return sieve.Text(t.Kind) }},
	{"namespace", func(t *policies.Target) sieve.Value { return sieve.Text(t.Namespace) }},
	{"name", func(t *policies.Target) sieve.Value { return sieve.Text(t.Name) }},
	{"labels", func(t *policies.Target) sieve.Value { return textsSeen(t.Labels) }},
}

// workload is a workload of a mesh.
type workload struct {
	*mesh.Workload
	mesh *mesh.Snapshot
}

func (w workload) account() string { return cmp.Or(w.ServiceAccount, "default") }

func (s *session) workloadSeen(w *mesh.Workload) sieve.Value {
	return seen(workload{w, s.view.Snapshot}, workloadFields)
}

var workloadFields = fields[workload]{
	{"kind", func(w workload) sieve.Value {
		if w.Source == nil {
			return sieve.Text(mesh.Pod.String())
		}
		return sieve.Text(w.Source.Kind.String())
	}},
	{"namespace", func(w workload) sieve.Value { return sieve.Text(w.Namespace) }},
	{"name", func(w workload) sieve.Value { return sieve.Text(w.Name) }},
	{"labels", func(w workload) sieve.Value { return textsSeen(w.Labels) }},
	{"annotations", func(w workload) sieve.Value { return textsSeen(w.Annotations) }},
	{"serviceAccount", func(w workload) sieve.Value { return sieve.Text(w.account()) }},
	{"principal", func(w workload) sieve.Value {
		return sieve.Text(w.mesh.Settings().TrustDomain + "/ns/" + w.Namespace + "/sa/" + w.account())
	}},
	{"hostNetwork", func(w workload) sieve.Value { return sieve.Truth(w.HostNetwork) }},
	{"running", func(w workload) sieve.Value { return sieve.Truth(w.Running) }},
	{"mode", func(w workload) sieve.Value { return sieve.Text(w.Mode) }},
	{"why", func(w workload) sieve.Value { return sieve.Text(w.Why) }},
	{"ports", func(w workload) sieve.Value {
		return listOfSeen(w.Ports, func(p mesh.ContainerPort) sieve.Value { return seen(p, portFields) })
	}},
}

var portFields = fields[mesh.ContainerPort]{
	{"name", func(p mesh.ContainerPort) sieve.Value { return sieve.Text(p.Name) }},
	{"port", func(p mesh.ContainerPort) sieve.Value { return sieve.Number(int64(p.ContainerPort)) }},
	{"protocol", func(p mesh.ContainerPort) sieve.Value { return sieve.Text(p.Protocol) }},
}

// binding is the waypoint that something asks for.
type binding struct {
	mesh.Binding
	mesh *mesh.Snapshot
}

func (s *session) bindingSeen(b mesh.Binding) sieve.Value {
	return seen(&binding{b, s.view.Snapshot}, bindingFields)
}

var bindingFields = fields[*binding]{
	{"asked", func(b *binding) sieve.Value { return sieve.Truth(b.Opt == mesh.Asks) }},
	{"optsOut", func(b *binding) sieve.Value { return sieve.Truth(b.Opt == mesh.OptsOut) }},
	{"bound", func(b *binding) sieve.Value { return sieve.Truth(b.Bound) }},
	{"reason", func(b *binding) sieve.Value { return sieve.Text(b.Reason) }},
	{"askedBy", func(b *binding) sieve.Value { return sieve.Optional(b.By) }},
	{"ingress", func(b *binding) sieve.Value { return sieve.Truth(b.Ingress) }},
	{"known", func(b *binding) sieve.Value { return sieve.Truth(b.Reason != mesh.ReasonUnknown) }},
	{"namespace", func(b *binding) sieve.Value { return b.ifAsked(b.Namespace) }},
	{"name", func(b *binding) sieve.Value { return b.ifAsked(b.Name) }},
	{"ready", func(b *binding) sieve.Value {
		return b.ofGateway(func(gw *mesh.Object) sieve.Value { return sieve.Truth(mesh.Ready(gw)) })
	}},
	{"principal", func(b *binding) sieve.Value {
		return b.ofGateway(func(gw *mesh.Object) sieve.Value { return sieve.Text(b.mesh.Identity(gw)) })
	}},
	{"trafficType", func(b *binding) sieve.Value {
		return b.ofGateway(func(gw *mesh.Object) sieve.Value { return sieve.Text(b.mesh.TrafficType(gw)) })
	}},
}

func (b *binding) ifAsked(s string) sieve.Value {
	if b.Opt != mesh.Asks {
		return sieve.Value{}
	}
	return sieve.Text(s)
}

func (b *binding) ofGateway(say func(*mesh.Object) sieve.Value) sieve.Value {
	if b.Gateway == nil {
		return sieve.Value{}
	}
	return say(b.Gateway)
}

func mtlsTerm(m mesh.MTLS, port int32) *ast.Term {
	if m.Dangling {
		m.Strict, m.Ports = false, nil // ztunnel lets everything in
	}
	strict := m.StrictOn(port)
	mode := mesh.Permissive
	if strict {
		mode = mesh.Strict
	}
	var open []int32
	for _, p := range slices.Sorted(maps.Keys(m.Ports)) {
		if !m.StrictOn(p) {
			open = append(open, p)
		}
	}
	return object(field{"strict", truth(strict)}, field{"mode", text(mode)}, field{"dangling", truth(m.Dangling)},
		field{"openPorts", array(open, number[int32])}, field{"policies", array(m.Policies, text[string])})
}

// meshTerm is the mesh as a whole, which input.mesh is.
func meshTerm(s *mesh.Snapshot) *ast.Term {
	t := s.Settings()
	return object(field{"rootNamespace", text(t.RootNamespace)}, field{"trustDomain", text(t.TrustDomain)},
		field{"trustDomainAliases", array(t.TrustDomainAliases, text[string])}, field{"clusterDomain", text(t.ClusterDomain)}, field{"istioVersion", text(t.Version.String())})
}

// namespace is a namespace; undefined where it is not known.
func (s *session) namespace(name string) sieve.Value {
	if !s.view.Known(name) {
		return sieve.Value{}
	}
	return seen(namespace{name, s.view.Snapshot}, namespaceFields)
}

type namespace struct {
	name string
	mesh *mesh.Snapshot
}

var namespaceFields = fields[namespace]{
	{"name", func(n namespace) sieve.Value { return sieve.Text(n.name) }},
	{"labels", func(n namespace) sieve.Value { return textsSeen(n.mesh.NamespaceLabels(n.name)) }},
	{"annotations", func(n namespace) sieve.Value {
		o := n.mesh.Get(mesh.Namespace, "", n.name)
		if o == nil {
			return textsSeen(nil)
		}
		return textsSeen(o.Annotations)
	}},
}
