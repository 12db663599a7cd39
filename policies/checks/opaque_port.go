package checks

import (
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// HTTP rules on a port that is not HTTP. On such a port a waypoint drops an ALLOW rule that needs HTTP,
// so it admits nobody there; a DENY rule loses what needs HTTP and matches without it, which is every
// connection if nothing else is left (pilot/pkg/security/authz/builder). At ztunnel it is the other
// way round: there such a DENY denies nothing. A CUSTOM is like a DENY there if its provider is asked by gRPC,
// and is not there at all if it is asked by HTTP.
var _ = policies.Register(policies.Check{
	ID:       "effect/opaque-port",
	Title:    "HTTP rules on a port that is not HTTP",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{35, 139},
	Controls: authorization(),
	Doc: `A waypoint compares methods, paths, hosts, headers and tokens only on ports that are declared as HTTP, by
appProtocol or by the port's name. On a TCP or TLS port a DENY on such attributes denies every connection, and an ALLOW
on them admits none. A CUSTOM asks about every connection there, or about none if its provider is asked by HTTP.`,
	Remedy: "Declare the port's protocol on the Service (appProtocol), or limit the rule to HTTP ports.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			if e.EnforcedBy == policies.Nobody || causeOf(e, policies.Protocol).Verdict == policies.Enforced || !e.Has(policies.Protocol) {
				continue
			}
			c := causeOf(e, policies.Protocol)
			f := policies.Finding{Verdict: e.Verdict, Field: c.Field, Related: byOf(e)}
			switch {
			case what(p.Object) == policies.Deny:
				f.Message = fmt.Sprintf("this DENY denies more than it says at %s: %s, and the rule matches without.", e.Target, c.Text)
			case what(p.Object) == policies.Custom && c.Verdict == policies.OverDenies:
				f.Severity = policies.Medium
				f.Message = fmt.Sprintf("this CUSTOM asks its provider about more than it says at %s: %s, and the rule matches without.", e.Target, c.Text)
			case what(p.Object) == policies.Custom:
				f.Message = fmt.Sprintf("this CUSTOM lets calls to %s pass without asking its provider: %s.", e.Target, c.Text)
			case c.Verdict == policies.DeniesAll:
				f.Message = fmt.Sprintf("this %s admits nobody at %s: %s, so the rule is dropped.", what(p.Object), e.Target, c.Text)
			default:
				f.Severity = policies.Medium
				f.Message = fmt.Sprintf("this %s drops its rule on some ports of %s: %s.", what(p.Object), e.Target, c.Text)
			}
			p.Report(f)
		}
	},
})

func causeOf(e policies.Effect, reason string) policies.Cause {
	for _, c := range e.Causes {
		if c.Reason == reason {
			return c
		}
	}
	return policies.Cause{Reason: e.Reason, Verdict: e.Verdict, Field: e.Field}
}
