package policies

import (
	"cmp"
	"fmt"

	"github.com/waywarden/waywarden/policies/mesh"
)

// judgeBackends is whether a route that is in force leads anywhere: to a Service that is there, of a kind
// that istiod knows, and at a gateway one that a ReferenceGrant permits where it is of another namespace
// (pilot/pkg/config/kube/gateway/conversion.go buildDestination). istiod keeps the share of a backend that
// is not: HTTPRoutes and GRPCRoutes answer 500 for it, and connections of the others fail. A mirror it leaves
// out. Routes inside the mesh need no grant.
func judgeBackends(s *mesh.Snapshot, o *mesh.Object, grants bool, e *Effect) {
	if e.Verdict != Enforced {
		return
	}
	for i, rule := range o.Spec.(*mesh.Route).Rules {
		for j, b := range rule.BackendRefs {
			if c, wrong := judgeBackend(s, o, b, grants); wrong {
				c.Field = fmt.Sprintf("spec.rules[%d].backendRefs[%d]", i, j)
				fail := "fail"
				if o.Kind == mesh.HTTPRoute || o.Kind == mesh.GRPCRoute {
					fail = "are answered with status 500"
				}
				e.refuse(o, b, c, "calls that it leads to %s "+fail)
				return
			}
		}
		for j, f := range rule.Filters {
			if f.RequestMirror == nil {
				continue
			}
			if c, wrong := judgeBackend(s, o, f.RequestMirror.BackendRef, grants); wrong {
				c.Field = fmt.Sprintf("spec.rules[%d].filters[%d].requestMirror.backendRef", i, j)
				e.refuse(o, f.RequestMirror.BackendRef, c, "%s gets no copies of the calls")
				return
			}
		}
	}
}

// judgeBackend is what is wrong with one backend. One of weight 0 is not looked at.
func judgeBackend(s *mesh.Snapshot, o *mesh.Object, b mesh.BackendRef, grants bool) (Cause, bool) {
	ns := cmp.Or(b.Namespace, o.Namespace)
	switch {
	case b.Weight != nil && *b.Weight == 0:
	case grants && b.IsService() && ns != o.Namespace && s.Known(ns) && !s.Granted(o, mesh.Service, ns, b.Name):
		return Cause{RefNotPermitted, PartiallyEnforced, "", fmt.Sprintf("no ReferenceGrant there lets routes of kind %s from Namespace %s name it", o.Kind, o.Namespace)}, true
	case b.IsService() && s.Known(ns) && s.Get(mesh.Service, ns, b.Name) == nil:
		return Cause{BackendNotFound, PartiallyEnforced, "", "there is no such Service"}, true
	case neverBackend(b):
		return Cause{InvalidKind, PartiallyEnforced, "", fmt.Sprintf("a %s cannot be a backend", b.Kind)}, true
	}
	return Cause{}, false
}

// neverBackend is a kind of Kubernetes's or Istio's own that is no backend, as a ServiceEntry is not: its
// hosts are named one by one, with kind Hostname. What other people's kinds do is not judged.
func neverBackend(b mesh.BackendRef) bool {
	switch b.Group {
	case "", "core":
		return !b.IsService()
	case mesh.ServiceEntry.Group():
		return b.Kind != "Hostname"
	}
	return false
}

// refuse says of a route what a wrong backend does to calls; consequence has a place for the backend's name.
func (e *Effect) refuse(o *mesh.Object, b mesh.BackendRef, c Cause, consequence string) {
	ns := cmp.Or(b.Namespace, o.Namespace)
	remedy := map[string]string{
		RefNotPermitted: "Add one in Namespace " + ns + ".",
		BackendNotFound: "Correct the name, or make the Service.",
		InvalidKind:     "Name a Service, or a host of a ServiceEntry with group " + mesh.ServiceEntry.Group() + " and kind Hostname.",
	}[c.Reason]
	e.Verdict, e.Reason, e.Field, e.Causes = PartiallyEnforced, c.Reason, c.Field, []Cause{c}
	backend := mesh.Ref{Kind: cmp.Or(b.Kind, "Service"), Namespace: ns, Name: b.Name}
	e.Message = fmt.Sprintf(consequence+": %s. %s", backend, c.Text, remedy)
}
