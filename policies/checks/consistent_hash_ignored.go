package checks

import (
	"strconv"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A DestinationRule whose consistentHash gives the waypoint a ring and nothing to hash, so that it
// picks at random. What to hash stands on a route. The route that a waypoint makes where nobody wrote
// one has it only from the top-level loadBalancer, and only since 1.31 (istio/istio#61045).
var _ = policies.Register(policies.Check{
	ID:       "effect/consistent-hash-ignored",
	Title:    "Sticky sessions that do not stick",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.DestinationRule},
	Cases:    []int{95, 96},
	Controls: configuration(),
	Doc: `What to hash stands on a route. For a Service without a VirtualService or route the waypoint makes one itself, and
gives it what the top-level loadBalancer says (in Istio 1.30 and older: nothing). A consistentHash of a single
port is left with nothing to hash, and picks at random.`,
	Remedy: "Set spec.trafficPolicy.loadBalancer.consistentHash, or write a route for the Service.",
	Run: func(p *policies.Pass) {
		for _, e := range p.Effects(p.Object) {
			for _, c := range e.Causes {
				if c.Reason == policies.HashIgnored {
					f := policies.Finding{Verdict: e.Verdict, Field: c.Field, WaitsFor: another(mesh.HTTPRoute, p.Object.Namespace), Message: "calls to " + e.Target.String() + " are spread at random: " + c.Text + "."}
					if !p.Settings().Version.AtLeast(1, 31, 0) {
						f.Remedy = "Upgrade to Istio 1.31, or write a VirtualService or HTTPRoute for the Service."
					} else {
						f.Fixes = hoist(p, e)
					}
					p.Report(f)
				}
			}
		}
	},
})

// hoist offers to say at the top what is said of the only port.
func hoist(p *policies.Pass, e policies.Effect) []policies.Fix {
	d := p.Object.Spec.(*mesh.DestinationRuleSpec)
	svc := targetOf(p, e.Target)
	if svc == nil || len(p.Ports(svc)) != 1 || len(d.TrafficPolicy.PortLevelSettings) != 1 || d.TrafficPolicy.LoadBalancer != nil {
		return nil
	}
	lb := valueAt(p.Object.Content(), "spec", "trafficPolicy", "portLevelSettings", "0", "loadBalancer")
	if lb == nil {
		return nil
	}
	return []policies.Fix{{
		Message: "say it at the top too; the Service has no other port",
		Patch:   []policies.Op{{Op: "add", Path: "/spec/trafficPolicy/loadBalancer", Value: lb}},
	}}
}

// valueAt is what stands at a path of an object as it was given; nil if nothing does.
func valueAt(v any, path ...string) any {
	for _, key := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}
