package oracle

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Chains compares for which ports of which Services a waypoint has a chain that calls reach, and of
// which protocol.
func (r Recording) Chains() Result {
	var out Result
	type key struct{ waypoint, service *mesh.Object }
	theirs := map[key][]string{}
	for _, l := range r.lines() {
		if l.service == nil {
			continue
		}
		if l.service.Spec == nil {
			out.compare("chains at a waypoint", l.waypoint, Nothing, l.String())
			continue
		}
		k := key{l.waypoint, l.service}
		theirs[k] = append(theirs[k], l.String())
	}
	for _, p := range r.Proxies {
		gw := r.Snapshot.Get(mesh.Gateway, p.Namespace, p.Name)
		for _, svc := range r.Snapshot.BoundTo(gw) {
			ours := r.chains(svc)
			slices.Sort(ours)
			istiod := theirs[key{gw, svc}]
			slices.Sort(istiod)
			out.compare("chains at waypoint "+gw.Key(), svc, or(strings.Join(ours, " "), Nothing), or(strings.Join(istiod, " "), Nothing))
		}
	}
	return out
}

// chains are those that a waypoint has for a Service, as lines.
func (r Recording) chains(svc *mesh.Object) []string {
	if mesh.Headless(svc) {
		return nil
	}
	if b, ok := svc.Spec.(*mesh.ServiceEntrySpec); ok && b.Resolution == "DYNAMIC_DNS" && b.Location == "MESH_INTERNAL" {
		return nil
	}
	if r.Snapshot.AliasOf(svc) != nil {
		return nil
	}
	var out []string
	for _, host := range r.Snapshot.HostsOf(svc) {
		for _, p := range r.Snapshot.Ports(svc) {
			l := line{service: svc, host: host, port: uint16(p.Number)}
			switch p.Protocol {
			case mesh.UDP:
				continue
			case mesh.Sniff:
				out = append(out, l.String())
				fallthrough
			case mesh.HTTP:
				l.http = true
			}
			out = append(out, l.String())
		}
	}
	return out
}

// covers is whether an effect is about the calls of a chain.
func covers(e policies.Effect, l line) bool {
	is := func(o *mesh.Object) bool {
		return o != nil && e.Target.Namespace == o.Namespace && e.Target.Name == o.Name
	}
	switch e.Target.Kind {
	case "Gateway":
		return is(l.waypoint)
	case "GatewayClass":
		return true
	}
	return l.service != nil && e.Target.Kind == l.service.Kind.String() && is(l.service)
}

// applied is whether a policy gets to the target's chains, be it to do nothing there.
func applied(e policies.Effect) bool {
	return e.EnforcedBy == policies.Waypoint || e.Verdict == policies.NotEnforced &&
		(e.Has(policies.PortNeverMatches) || e.Reason == policies.MatchNeverMatches || e.Field == "spec.provider.name")
}

// carrier is a kind of policy, and what shows that one of it is on a chain.
type carrier struct {
	kind mesh.Kind
	// fits is whether a policy that gets to a chain, with an effect, leaves a trace on it.
	fits func(*mesh.Snapshot, *mesh.Object, policies.Effect, line) bool
	// traces name the policies of which a chain has one, as in "shop/deny".
	traces func(line) []string
}

var carriers = []carrier{
	{mesh.AuthorizationPolicy, leavesRules, authorizations},
	{mesh.RequestAuthentication, func(_ *mesh.Snapshot, o *mesh.Object, _ policies.Effect, l line) bool {
		return l.http && len(o.Spec.(*mesh.RequestAuthenticationSpec).JWTRules) > 0
	}, nil},
	{mesh.WasmPlugin, extensionFits, extensions("~istio-translated-wasmplugin", true)},
	{mesh.TrafficExtension, extensionFits, extensions("~istio-translated-wasmplugin", false)},
	{mesh.EnvoyFilter, func(_ *mesh.Snapshot, _ *mesh.Object, _ policies.Effect, l line) bool { return l.http }, named("envoyfilter/")},
}

// ChainPolicies compares on which chains of a waypoint every policy is that proxies know by name.
func (r Recording) ChainPolicies() Result {
	var out Result
	lines := r.lines()
	for _, c := range carriers {
		traces := c.traces
		if c.kind == mesh.RequestAuthentication {
			traces = r.issuers()
		}
		theirs := map[string]map[*mesh.Object][]string{} // by policy, by waypoint
		for _, l := range lines {
			for _, k := range traces(l) {
				if theirs[k] == nil {
					theirs[k] = map[*mesh.Object][]string{}
				}
				theirs[k][l.waypoint] = append(theirs[k][l.waypoint], l.String())
			}
		}
		for o := range r.Snapshot.All(c.kind) {
			ours := map[*mesh.Object][]string{}
			effects := policies.Effects(r.Snapshot, o)
			if idleCustom(o, effects) {
				delete(theirs, o.Key())
				continue
			}
			for _, l := range lines {
				if slices.ContainsFunc(effects, func(e policies.Effect) bool { return applied(e) && covers(e, l) && c.fits(r.Snapshot, o, e, l) }) {
					ours[l.waypoint] = append(ours[l.waypoint], l.String())
				}
			}
			compareWaypoints(&out, o, ours, theirs[o.Key()])
			out.runs(o, effects, lines, traces)
			delete(theirs, o.Key())
		}
		for _, k := range slices.Sorted(maps.Keys(theirs)) {
			ns, name, _ := strings.Cut(k, "/")
			compareWaypoints(&out, &mesh.Object{Kind: c.kind, Namespace: ns, Name: name}, nil, theirs[k])
		}
	}
	return out
}

// idleCustom is whether a policy is a CUSTOM that is a dry run, or has no rule that can match. Whether that is on a
// chain depends on the provider, and does nothing for calls; ChainRules compares what comes of it.
func idleCustom(o *mesh.Object, effects []policies.Effect) bool {
	p, ok := o.Spec.(*mesh.AuthorizationPolicySpec)
	return ok && policies.Action(p) == policies.Custom && (policies.Tries(o) || len(p.Rules) == 0 ||
		slices.ContainsFunc(effects, func(e policies.Effect) bool { return e.Verdict == policies.NotEnforced && applied(e) }))
}

// runs compares that a policy which we say a waypoint enforces for a target is on any chain of it.
func (r *Result) runs(o *mesh.Object, effects []policies.Effect, lines []line, traces func(line) []string) {
	switch spec := o.Spec.(type) {
	case *mesh.AuthorizationPolicySpec:
		return // an ALLOW need not leave a trace; ChainRules compares more
	case *mesh.RequestAuthenticationSpec:
		if len(spec.JWTRules) == 0 {
			return // it validates no token, as written
		}
	}
	for _, e := range effects {
		on, found := 0, Nothing
		for _, l := range lines {
			if covers(e, l) && (l.http || o.Kind != mesh.EnvoyFilter) { // whose filter of HTTP the tunnel's listener has in any case
				on++
				if slices.Contains(traces(l), o.Key()) {
					found = "runs"
				}
			}
		}
		if e.EnforcedBy == policies.Waypoint && on > 0 {
			r.compare("runs for "+e.Target.Kind, o, "runs", found)
		}
	}
}

// compareWaypoints compares the chains on which one policy is, waypoint by waypoint; that it is nowhere is
// one comparison.
func compareWaypoints(out *Result, o *mesh.Object, ours, theirs map[*mesh.Object][]string) {
	all := maps.Clone(ours)
	if all == nil {
		all = map[*mesh.Object][]string{}
	}
	maps.Copy(all, theirs)
	if len(all) == 0 {
		out.compare("on no chain", o, "", "")
	}
	byKey := func(a, b *mesh.Object) int { return cmp.Compare(a.Key(), b.Key()) }
	for _, gw := range slices.SortedFunc(maps.Keys(all), byKey) {
		slices.Sort(ours[gw])
		slices.Sort(theirs[gw])
		out.compare("on the chains of waypoint "+gw.Key(), o, or(strings.Join(ours[gw], " "), Nothing), or(strings.Join(theirs[gw], " "), Nothing))
	}
}

// authorizations are the policies of which a chain has rules (pilot/pkg/security/authz/builder/builder.go policyName).
func authorizations(l line) []string {
	var out []string
	for _, f := range l.chain.Filters {
		for _, rules := range []*RBAC{f.Rules, f.ShadowRules} {
			if rules == nil {
				continue
			}
			for name := range rules.Policies {
				if k, ok := parseRule(name); ok && !slices.Contains(out, k.policy) {
					out = append(out, k.policy)
				}
			}
		}
	}
	return out
}

// leavesRules is whether an AuthorizationPolicy has rules on a chain that it gets to. A TCP chain has none
// of an ALLOW whose rules all name HTTP: only that everybody is denied, which ChainRules compares. And none of
// a CUSTOM whose provider is asked by HTTP, if it can be asked.
func leavesRules(s *mesh.Snapshot, o *mesh.Object, e policies.Effect, l line) bool {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	switch action := policies.Action(p); {
	case l.http:
		return true
	case action == policies.Custom:
		provider, ok := s.Settings().AuthorizationProvider(p.Provider.Name)
		return !ok || !provider.HTTP || e.Has(policies.ProviderConflict) || e.Has(policies.ProviderNotFound)
	case action != policies.Allow:
		return true
	}
	return len(p.Rules) == 0 ||
		slices.ContainsFunc(p.Rules, func(r mesh.Rule) bool { return !namesHTTP(r) })
}

// issuers tell RequestAuthentications by the issuers of their tokens, which no two of them share.
func (r Recording) issuers() func(line) []string {
	by := map[string]string{}
	for o := range r.Snapshot.All(mesh.RequestAuthentication) {
		for _, rule := range o.Spec.(*mesh.RequestAuthenticationSpec).JWTRules {
			by[rule.Issuer] = o.Key()
		}
	}
	return func(l line) []string {
		var out []string
		for _, f := range l.chain.Filters {
			for _, issuer := range f.Issuers {
				if k := or(by[issuer], issuer); !slices.Contains(out, k) {
					out = append(out, k)
				}
			}
		}
		return out
	}
}

// extensions tell WasmPlugins and TrafficExtensions by the filter's name (pilot/pkg/model/extensions.go);
// those that istiod makes of WasmPlugins have a suffix.
func extensions(suffix string, with bool) func(line) []string {
	return func(l line) []string {
		var out []string
		for _, name := range named("extensions.istio.io/trafficextension/")(l) {
			if k, has := strings.CutSuffix(name, suffix); has == with {
				out = append(out, strings.Replace(k, ".", "/", 1))
			}
		}
		return out
	}
}

// named are the rests of the names of filters with a prefix.
func named(prefix string) func(line) []string {
	return func(l line) []string {
		var out []string
		for _, f := range l.chain.Filters {
			if k, ok := strings.CutPrefix(f.Name, prefix); ok {
				out = append(out, k)
			}
		}
		return out
	}
}

// extensionFits is whether an extension that gets to a chain runs there: by its type, and where it is for
// ports by the chain's, of which HTTP chains have none.
func extensionFits(_ *mesh.Snapshot, o *mesh.Object, _ policies.Effect, l line) bool {
	p := o.Spec.(*mesh.ExtensionSpec)
	if p.IsNetwork() == l.http {
		return false
	}
	return len(p.Match) == 0 || slices.ContainsFunc(p.Match, func(m mesh.ExtensionMatch) bool {
		if m.Mode == "CLIENT" {
			return false
		}
		return len(m.Ports) == 0 || !l.http && slices.ContainsFunc(m.Ports, func(port struct {
			Number int32 `json:"number"`
		}) bool {
			return uint16(port.Number) == l.port
		})
	})
}
