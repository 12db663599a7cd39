package mesh

import (
	"fmt"

	"istio.io/api/label"
)

// What the objects of one cluster say of others. A Service of global scope is called from every cluster of
// the mesh, and there the waypoint, its policies and its labels are those of that cluster.

// Spans is why the mesh spans networks or clusters, as a clause; "" where nothing in the input shows it.
func (s *Snapshot) Spans() string {
	s.note(readSpans, 0, "", "")
	s.remembered.span.Do(func() { s.remembered.spans = s.unrecorded().readSpan() })
	return s.remembered.spans
}

func (s *Snapshot) readSpan() string {
	for _, flag := range multiNetwork {
		if s.settings.Flag(flag, false) {
			return "istiod has " + flag
		}
	}
	first := ""
	for ns := range s.Namespaces() {
		for _, gw := range s.List(Gateway, ns) {
			if s.ClassOf(gw) == ClassEastWest {
				return gw.String() + " leads to another network"
			}
		}
		for _, o := range s.networked(ns) {
			switch network := o.Labels[label.TopologyNetwork.Name]; {
			case network == "", network == first:
			case first == "":
				first = network
			default:
				return fmt.Sprintf("%s is of network %s, and others are of %s", o, network, first)
			}
		}
	}
	return ""
}

// networked are the objects whose labels say which network something is in.
func (s *Snapshot) networked(ns string) []*Object {
	var out []*Object
	for _, kind := range []Kind{Namespace, Gateway, Pod, WorkloadEntry} {
		if kind != Namespace {
			out = append(out, s.List(kind, ns)...)
		} else if o := s.Get(Namespace, "", ns); o != nil {
			out = append(out, o)
		}
	}
	return out
}

// globalScope is what the ambient profile ships (manifests/helm-profiles/ambient.yaml).
var globalScope = []ServiceScope{{Scope: "GLOBAL", Services: &LabelSelector{MatchExpressions: []Requirement{
	{Key: "istio.io/global", Operator: "In", Values: []string{"true"}},
}}}}

// Global is whether a Service is called from other clusters as well (ambient/services.go
// matchServiceScope). ServiceEntries never are.
func (s *Snapshot) Global(o *Object) bool {
	if o.Kind != Service || ExternalName(o) {
		return false
	}
	scopes := s.settings.ServiceScopes
	if !s.settings.MeshConfigKnown {
		scopes = globalScope
	}
	for _, c := range scopes {
		// Istio takes a selector that is left out for one that selects everything.
		if c.Scope == "GLOBAL" && (c.Namespaces == nil || c.Namespaces.Matches(s.NamespaceLabels(o.Namespace))) &&
			(c.Services == nil || c.Services.Matches(o.Labels)) {
			return true
		}
	}
	return false
}
