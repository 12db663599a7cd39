package rules

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
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

// optional is a text, and no field where it is empty.
func optional[T ~string](s T) *ast.Term {
	if s == "" {
		return nil
	}
	return text(s)
}

func array[T any](of []T, term func(T) *ast.Term) *ast.Term {
	out := make([]*ast.Term, len(of))
	for i := range of {
		out[i] = term(of[i])
	}
	return ast.NewTerm(ast.NewArray(out...))
}

// noTexts is no labels, which is often.
var noTexts = ast.NewTerm(ast.NewObject())

func texts(of map[string]string) *ast.Term {
	if len(of) == 0 {
		return noTexts
	}
	pairs := make([][2]*ast.Term, 0, len(of))
	for _, k := range slices.Sorted(maps.Keys(of)) {
		pairs = append(pairs, [2]*ast.Term{text(k), text(of[k])})
	}
	return ast.NewTerm(ast.NewObject(pairs...))
}

func refTerm(r mesh.Ref) *ast.Term {
	return object(field{"kind", text(r.Kind)}, field{"namespace", text(r.Namespace)}, field{"name", text(r.Name)})
}

func effectTerm(e policies.Effect) *ast.Term {
	var by *ast.Term
	if e.At != nil {
		by = refTerm(*e.At)
	}
	target := object(field{"kind", text(e.Target.Kind)}, field{"namespace", text(e.Target.Namespace)}, field{"name", text(e.Target.Name)},
		field{"labels", texts(e.Target.Labels)})
	return object(
		field{"object", refTerm(e.Object)}, field{"target", target}, field{"enforcedBy", text(e.EnforcedBy)}, field{"by", by},
		field{"verdict", text(e.Verdict)}, field{"reason", text(e.Reason)}, field{"message", text(e.Message)},
		field{"workloads", number(e.Workloads)}, field{"failsOpen", truth(e.Verdict.FailsOpen())}, field{"waits", truth(len(e.WaitsFor) > 0)})
}

func workloadTerm(s *mesh.Snapshot, w *mesh.Workload) *ast.Term {
	kind := "Pod"
	if w.Source != nil {
		kind = w.Source.Kind.String()
	}
	account := w.ServiceAccount
	if account == "" {
		account = "default"
	}
	return object(
		field{"kind", text(kind)}, field{"namespace", text(w.Namespace)}, field{"name", text(w.Name)},
		field{"labels", texts(w.Labels)}, field{"annotations", texts(w.Annotations)}, field{"serviceAccount", text(account)},
		field{"principal", text(s.Settings().TrustDomain + "/ns/" + w.Namespace + "/sa/" + account)},
		field{"hostNetwork", truth(w.HostNetwork)}, field{"running", truth(w.Running)}, field{"mode", text(w.Mode)}, field{"why", text(w.Why)},
		field{"ports", array(w.Ports, func(p mesh.ContainerPort) *ast.Term {
			return object(field{"name", text(p.Name)}, field{"port", number(p.ContainerPort)}, field{"protocol", text(p.Protocol)})
		})})
}

func bindingTerm(s *mesh.Snapshot, b mesh.Binding) *ast.Term {
	out := []field{{"asked", truth(b.Opt == mesh.Asks)}, {"optsOut", truth(b.Opt == mesh.OptsOut)}, {"bound", truth(b.Bound)},
		{"reason", text(b.Reason)}, {"askedBy", optional(b.By)}, {"ingress", truth(b.Ingress)}, {"known", truth(b.Reason != mesh.ReasonUnknown)}}
	if b.Opt == mesh.Asks {
		out = append(out, field{"namespace", text(b.Namespace)}, field{"name", text(b.Name)})
	}
	if b.Gateway != nil {
		out = append(out, field{"ready", truth(mesh.Ready(b.Gateway))}, field{"principal", text(s.Identity(b.Gateway))}, field{"trafficType", text(s.TrafficType(b.Gateway))})
	}
	return object(out...)
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

// namespaceTerm is nil for a namespace that is not known.
func namespaceTerm(s *mesh.Snapshot, name string) *ast.Term {
	if !s.Known(name) {
		return nil
	}
	var annotations map[string]string
	if o := s.Get(mesh.Namespace, "", name); o != nil {
		annotations = o.Annotations
	}
	return object(field{"name", text(name)}, field{"labels", texts(s.NamespaceLabels(name))}, field{"annotations", texts(annotations)})
}
