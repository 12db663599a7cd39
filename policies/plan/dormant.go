package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Routes and DestinationRules may have lain dormant without a waypoint for long. What callers notice of them once one carries them out is
// told, where it is an error to them.

// dormantNotices tell that of the routes and DestinationRules that the waypoint of a Service or ServiceEntry uses.
func dormantNotices(view *policies.View, o *mesh.Object) []Notice {
	s := view.Snapshot
	b := s.Binding(o)
	if !b.Bound {
		return nil
	}
	routes := takenUp(view, o)
	rules := policies.Lookup(s, o, b.Gateway.Namespace)
	out := unmatched(s, o, routes)
	out = append(out, missingSubsets(s, o, routes, rules)...)
	if o.Kind == mesh.Service {
		out = append(out, doublyEncrypted(s, o, routes, rules)...)
	}
	return out
}

// takenUp are the routes that the waypoint applies to calls to a Service or ServiceEntry.
func takenUp(s *policies.View, o *mesh.Object) []*mesh.Object {
	t := targetOf(o)
	return slices.DeleteFunc(slices.Concat(s.VirtualServicesFor(o), s.RoutesFrom(o)), func(route *mesh.Object) bool {
		return !slices.ContainsFunc(s.Effects(route), func(e policies.Effect) bool {
			return same(e.Target, t) && e.EnforcedBy == policies.Waypoint && e.Verdict != policies.NotEnforced
		})
	})
}

// httpMatch is what a rule for HTTP calls asks of them, as far as it matters here: their port, 0 for any, and whether anything else.
type httpMatch struct {
	port int32
	more bool
}

// unmatched tells where calls match none of the routes: with one route or more there is no other that is of all calls
// (listener_waypoint.go waypointInboundRoute, route.go IsCatchAllRoute).
func unmatched(s *mesh.Snapshot, o *mesh.Object, routes []*mesh.Object) []Notice {
	var out []Notice
	for _, p := range s.Ports(o) {
		if p.Protocol != mesh.HTTP && p.Protocol != mesh.Sniff {
			continue
		}
		var on []string
		all := false
		for _, route := range routes {
			for _, m := range httpMatches(s, o, route) {
				if m.port != 0 && m.port != p.Number {
					continue
				}
				if all = all || !m.more; !slices.Contains(on, route.String()) {
					on = append(on, route.String())
				}
			}
		}
		if len(on) > 0 && !all {
			out = append(out, Notice{o.Ref(), ClassNoCatchAll, fmt.Sprintf(
				"calls to port %d that no route of %s matches get 404: the waypoint carries it out, and it has no route without a match. Add one.", p.Number, strings.Join(on, " or "))})
		}
	}
	return out
}

// httpMatches are those of the rules of a route that are for HTTP calls to a Service or ServiceEntry.
func httpMatches(s *mesh.Snapshot, o, route *mesh.Object) []httpMatch {
	var out []httpMatch
	switch spec := route.Spec.(type) {
	case *mesh.VirtualServiceSpec:
		for i := range spec.HTTP {
			out = append(out, ruleMatches(s, o, route, &spec.HTTP[i])...)
		}
	case *mesh.Route:
		if route.Kind != mesh.HTTPRoute && route.Kind != mesh.GRPCRoute {
			return nil
		}
		for _, p := range spec.ParentRefs {
			if _, kind := p.GroupKind(); kind != o.Kind.String() || p.Name != o.Name || cmp.Or(p.Namespace, route.Namespace) != o.Namespace {
				continue
			}
			for _, r := range spec.Rules {
				if len(r.Matches) == 0 {
					out = append(out, httpMatch{port: p.Port})
				}
				for _, m := range r.Matches {
					out = append(out, httpMatch{port: p.Port, more: asksMore(m)})
				}
			}
		}
	}
	return out
}

// ruleMatches are those of a rule of a VirtualService, with those of what it delegates to. What names the caller is left out: a waypoint
// drops labels, and compares the namespace with its own.
func ruleMatches(s *mesh.Snapshot, o, vs *mesh.Object, r *mesh.HTTPRule) []httpMatch {
	own := matchesOf(s, o, r)
	if r.Delegate == nil {
		return own
	}
	to := delegate(s, vs, r)
	if to == nil {
		return nil
	}
	spec := to.Spec.(*mesh.VirtualServiceSpec)
	var out []httpMatch
	for i := range spec.HTTP {
		for _, m := range matchesOf(s, o, &spec.HTTP[i]) {
			for _, root := range own {
				if root.port == 0 || m.port == 0 || root.port == m.port {
					out = append(out, httpMatch{cmp.Or(m.port, root.port), m.more || root.more})
				}
			}
		}
	}
	return out
}

// delegate is what a rule of a VirtualService delegates to; nil where that is nothing, or is not there.
func delegate(s *mesh.Snapshot, vs *mesh.Object, r *mesh.HTTPRule) *mesh.Object {
	if r.Delegate == nil {
		return nil
	}
	to := s.Get(mesh.VirtualService, cmp.Or(r.Delegate.Namespace, vs.Namespace), r.Delegate.Name)
	if to == nil || len(to.Spec.(*mesh.VirtualServiceSpec).Hosts) > 0 {
		return nil // Istio knows one level of delegation
	}
	return to
}

func matchesOf(s *mesh.Snapshot, o *mesh.Object, r *mesh.HTTPRule) []httpMatch {
	if len(r.Match) == 0 {
		return []httpMatch{{}}
	}
	var out []httpMatch
	for _, m := range r.Match {
		other := m.SourceNamespace != "" && m.SourceNamespace != s.Binding(o).Gateway.Namespace
		if len(m.SourceLabels) > 0 || other || len(m.Gateways) > 0 && !slices.Contains(m.Gateways, "mesh") {
			continue
		}
		more := len(m.Headers)+len(m.Method)+len(m.Authority)+len(m.Scheme)+len(m.QueryParams)+len(m.WithoutHeaders) > 0
		out = append(out, httpMatch{m.Port, more || len(m.URI) > 0 && m.URI["prefix"] != "/" && m.URI["regex"] != ".*"})
	}
	return out
}

// asksMore is whether a match of a route of the Gateway API is not of all calls. Without a path that of an HTTPRoute is of all paths.
func asksMore(match any) bool {
	m, _ := match.(map[string]any)
	for field, value := range m {
		path, _ := value.(map[string]any)
		switch {
		case field == "path" && (path["type"] == nil || path["type"] == "PathPrefix") && (path["value"] == nil || path["value"] == "/"):
		case field == "path" && path["type"] == "RegularExpression" && path["value"] == ".*":
		case field == "headers" || field == "queryParams":
			if list, _ := value.([]any); len(list) > 0 {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// missingSubsets tells of routes to subsets of the Service that none of the DestinationRules has which the waypoint uses.
func missingSubsets(s *mesh.Snapshot, o *mesh.Object, routes, rules []*mesh.Object) []Notice {
	var out []Notice
	for _, route := range routes {
		for _, subset := range subsetsOf(s, o, route) {
			if !hasSubset(rules, subset) {
				out = append(out, Notice{o.Ref(), ClassNoSubset, fmt.Sprintf(
					"calls that %s sends to subset %s get 503: no DestinationRule that the waypoint uses for %s has that subset. Add it.", route, subset, o)})
			}
		}
	}
	return out
}

// subsetsOf are the subsets of a Service or ServiceEntry to which a route sends, each once.
func subsetsOf(s *mesh.Snapshot, o, route *mesh.Object) []string {
	spec, ok := route.Spec.(*mesh.VirtualServiceSpec)
	if !ok {
		return nil
	}
	var out []string
	take := func(from *mesh.Object) { // short hosts are of its own namespace (virtualservice.go resolveVirtualServiceShortnames)
		for _, d := range from.Spec.(*mesh.VirtualServiceSpec).Destinations() {
			if d.Subset != "" && !slices.Contains(out, d.Subset) && slices.Contains(s.ServicesFor(d.Host, from.Namespace), o) {
				out = append(out, d.Subset)
			}
		}
	}
	take(route)
	for i := range spec.HTTP {
		if to := delegate(s, route, &spec.HTTP[i]); to != nil {
			take(to)
		}
	}
	return out
}

func hasSubset(rules []*mesh.Object, name string) bool {
	return slices.ContainsFunc(rules, func(dr *mesh.Object) bool {
		spec := dr.Spec.(*mesh.DestinationRuleSpec)
		return spec.WorkloadSelector == nil && slices.ContainsFunc(spec.Subsets, func(s mesh.Subset) bool { return s.Name == name })
	})
}

// doublyEncrypted tells of DestinationRules by which the waypoint speaks TLS inside HBONE (cluster_waypoint.go buildWaypointTLSContext).
func doublyEncrypted(s *mesh.Snapshot, o *mesh.Object, routes, rules []*mesh.Object) []Notice {
	var out []Notice
	for _, dr := range rules {
		spec := dr.Spec.(*mesh.DestinationRuleSpec)
		if spec.WorkloadSelector != nil {
			continue // it counts in the search, and is not used
		}
		tell := func(what, mode string) {
			out = append(out, Notice{o.Ref(), ClassDoubleTLS, fmt.Sprintf(
				"%s are encrypted twice: %s says tls %s, which the waypoint carries out inside HBONE, and the pods must speak TLS themselves. Remove it if they do not.", what, dr, mode)})
		}
		tellTLS(spec.TrafficPolicy, "calls", tell)
		for _, sub := range spec.Subsets {
			if slices.ContainsFunc(routes, func(route *mesh.Object) bool { return slices.Contains(subsetsOf(s, o, route), sub.Name) }) {
				tellTLS(sub.TrafficPolicy, "calls to subset "+sub.Name, tell)
			}
		}
	}
	return out
}

// tellTLS tells of the settings by which calls are encrypted.
func tellTLS(p *mesh.TrafficPolicy, what string, tell func(what, mode string)) {
	if p == nil {
		return
	}
	if encrypts(p.TLS) {
		tell(what, p.TLS.Mode)
	}
	for _, l := range p.PortLevelSettings {
		if encrypts(l.TLS) {
			tell(what+" at port "+strconv.Itoa(int(l.Port.Number)), l.TLS.Mode)
		}
	}
}

func encrypts(t *mesh.ClientTLS) bool { return t != nil && (t.Mode == "SIMPLE" || t.Mode == "MUTUAL") }
