package checks

import (
	"fmt"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// ask is a label istio.io/use-waypoint and what it is about. Findings about a binding stand on the
// object that carries the label: one for a Namespace, not one for each Service in it.
type ask struct {
	mesh.Binding
	services []*mesh.Object // the Services and ServiceEntries that take it
	field    string
}

const useWaypointField = "metadata.labels[istio.io/use-waypoint]"

// carriers are the kinds whose own labels bind what ambient mode knows as a destination.
var carriers = []mesh.Kind{mesh.Namespace, mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry}

// askOf reads the object's own label; ok is false where it has none, or opts out.
func askOf(p *policies.Pass) (a ask, ok bool) {
	o := p.Object
	if v, labelled := o.Labels[label.IoIstioUseWaypoint.Name]; !labelled || v == "none" {
		return ask{}, false
	}
	a = ask{field: useWaypointField}
	if o.Kind == mesh.Namespace {
		a.Binding, a.services = p.NamespaceBinding(o.Name), p.Inheriting(o.Name)
		return a, true
	}
	a.Binding = p.Binding(o)
	if o.Kind != mesh.WorkloadEntry {
		a.services = []*mesh.Object{o}
	}
	return a, a.Opt == mesh.Asks
}

// relying are the policies that do nothing unless the Services are bound, sorted by what they are.
func relying(p *policies.Pass, services []*mesh.Object) []*mesh.Object {
	var out []*mesh.Object
	for _, svc := range services {
		for _, o := range slices.Concat(p.PoliciesFor(svc), p.RoutesFrom(svc)) {
			if o.Namespace == svc.Namespace && !slices.Contains(out, o) {
				out = append(out, o)
			}
		}
	}
	return out
}

// relyingOn are those and the policies that name the waypoint itself.
func relyingOn(p *policies.Pass, services []*mesh.Object, ns, name string) []*mesh.Object {
	out := relying(p, services)
	for _, o := range p.PoliciesFor(&mesh.Object{Kind: mesh.Gateway, Namespace: ns, Name: name}) {
		if o.Namespace == ns && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}

// weight is how bad it is that the policies are not in force: worst where they are about security.
func weight(relying []*mesh.Object, services int) policies.Severity {
	switch {
	case slices.ContainsFunc(relying, func(o *mesh.Object) bool {
		return o.Kind == mesh.AuthorizationPolicy || o.Kind == mesh.RequestAuthentication
	}):
		return policies.High
	case len(relying) > 0 || services > 0:
		return policies.Medium
	}
	return policies.Low
}

// because is the part of a message that names what relies on a binding; "" for nothing.
func because(relying []*mesh.Object) string {
	if len(relying) == 0 {
		return ""
	}
	return ", so " + enumerate(relying) + " " + doesDo(len(relying)) + " nothing"
}

func doesDo(n int) string {
	if n == 1 {
		return "does"
	}
	return "do"
}

// enumerate names objects, at most three of them.
func enumerate(objects []*mesh.Object) string {
	const most = 3
	var names []string
	for i, o := range objects {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(objects)-most))
			break
		}
		names = append(names, short(o))
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func short(o *mesh.Object) string {
	return mesh.Ref{Kind: o.Kind.String(), Namespace: o.Namespace, Name: o.Name}.String()
}

func refsOf(objects []*mesh.Object) []mesh.Ref {
	out := make([]mesh.Ref, len(objects))
	for i, o := range objects {
		out[i] = o.Ref()
	}
	return out
}
