package plan

import (
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// The answers to a call.
const (
	through = "let through"
	denied  = "denied"
	refused = "refused" // by nothing that judges: the waypoint has no pod, or does not know the Service
)

// call is what happens to a new connection, with one request, on a path.
func (m *model) call(c client, service, method string, p pod, by way) string {
	dst := &m.states[m.nodes[p.node].policies]
	if by.waypoint == "" {
		return verdict(atZtunnel(dst.all, p, c.principal()))
	}
	if by.pod == nil || !by.pod.ready || !m.knownBy(&by.pod.proxy).serves(service, by.waypoint) {
		return refused
	}
	if !atWaypoint(m.states[by.pod.policies].all, service, by.waypoint, c.principal(), method) {
		return denied
	}
	return verdict(atZtunnel(dst.all, p, identityOf(by.waypoint)))
}

// identityOf is who a waypoint is, by its key.
func identityOf(gw string) string {
	ns, name, _ := strings.Cut(gw, "/")
	return "cluster.local/ns/" + ns + "/sa/" + name
}

func verdict(ok bool) string {
	if ok {
		return through
	}
	return denied
}

// atZtunnel judges who connects to a pod, by the policies without targetRefs.
func atZtunnel(own []*mesh.Object, p pod, principal string) bool {
	var allows, allowed bool
	for _, o := range own {
		spec := o.Spec.(*mesh.AuthorizationPolicySpec)
		if o.Namespace != p.namespace || len(spec.TargetRefs) > 0 || spec.Selector != nil && spec.Selector.MatchLabels["app"] != p.app {
			continue
		}
		hit := slices.ContainsFunc(spec.Rules, func(r mesh.Rule) bool { return len(r.To) == 0 && fromMatches(r, principal) })
		switch {
		case spec.Action == policies.Deny && hit:
			return false
		case spec.Action != policies.Deny:
			allows, allowed = true, allowed || hit
		}
	}
	return !allows || allowed
}

// atWaypoint judges a request, by the policies that name the Service or the Gateway.
func atWaypoint(own []*mesh.Object, service, gw, principal, method string) bool {
	var allows, allowed bool
	for _, o := range own {
		spec := o.Spec.(*mesh.AuthorizationPolicySpec)
		if !slices.ContainsFunc(spec.TargetRefs, func(r mesh.TargetRef) bool {
			return r.Kind == "Service" && r.Name == service || r.Kind == "Gateway" && o.Namespace+"/"+r.Name == gw
		}) {
			continue
		}
		hit := slices.ContainsFunc(spec.Rules, func(r mesh.Rule) bool {
			return fromMatches(r, principal) && (len(r.To) == 0 || slices.Contains(r.To[0].Operation.Methods, method))
		})
		switch {
		case spec.Action == policies.Deny && hit:
			return false
		case spec.Action != policies.Deny:
			allows, allowed = true, allowed || hit
		}
	}
	return !allows || allowed
}

func fromMatches(r mesh.Rule, principal string) bool {
	if len(r.From) == 0 {
		return true
	}
	for _, f := range r.From {
		src := f.Source
		is := func(pattern string) bool {
			prefix, any := strings.CutSuffix(pattern, "*")
			return pattern == principal || any && strings.HasPrefix(principal, prefix)
		}
		if (len(src.Principals) == 0 || slices.ContainsFunc(src.Principals, is)) && !slices.ContainsFunc(src.NotPrincipals, is) {
			return true
		}
	}
	return false
}
