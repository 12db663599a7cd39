package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// spoilers are mistakes in what is planned.
var spoilers = []struct {
	name  string
	spoil func(*Plan, *mesh.Snapshot)
}{
	{"a guard excepts more than is named", func(p *Plan, _ *mesh.Snapshot) {
		eachGuard(p, func(_ Policy, in []any) []any { return append(in, clients[1].principal()) })
	}},
	{"an exception is a pattern", func(p *Plan, _ *mesh.Snapshot) {
		eachGuard(p, func(_ Policy, in []any) []any {
			if !slices.Contains(in, any(insider.principal())) {
				return in
			}
			return append(in, "cluster.local/ns/shop/sa/*")
		})
	}},
	{"a guard forgets who is excepted", func(p *Plan, _ *mesh.Snapshot) {
		eachGuard(p, func(_ Policy, in []any) []any {
			return slices.DeleteFunc(slices.Clone(in), func(v any) bool { return v == any(insider.principal()) })
		})
	}},
	{"a guard forgets the waypoint", func(p *Plan, _ *mesh.Snapshot) {
		eachGuard(p, func(_ Policy, in []any) []any {
			return append(slices.DeleteFunc(slices.Clone(in), func(v any) bool { return strings.HasSuffix(v.(string), "waypoint") }), "cluster.local/ns/shop/sa/nobody")
		})
	}},
	{"a namespace is let attach no more before it has left", func(p *Plan, _ *mesh.Snapshot) {
		for i := range p.Waypoints {
			w := &p.Waypoints[i]
			needed := func(ns string) bool {
				return slices.ContainsFunc(w.Needs, func(n Need) bool { return n.Target.Namespace == ns })
			}
			if w.Manifest != nil && !w.Idle && slices.ContainsFunc(w.from, func(ns string) bool { return !needed(ns) }) {
				w.from = slices.DeleteFunc(slices.Clone(w.from), func(ns string) bool { return !needed(ns) })
				w.Manifest = gatewayManifest(w)
			}
		}
	}},
	{"two waypoints of one name have one admission", func(p *Plan, _ *mesh.Snapshot) {
		for i := range p.Policies {
			metadata := p.Policies[i].Manifest["metadata"].(map[string]any)
			metadata["name"] = strings.Replace(metadata["name"].(string), "waywarden-admit-edge.", "waywarden-admit-", 1)
		}
	}},
	{"a guard forgets the waypoint that is left, and that others share", func(p *Plan, s *mesh.Snapshot) {
		eachGuard(p, func(guard Policy, in []any) []any {
			svc := find(s, guard.For[0])
			return slices.DeleteFunc(slices.Clone(in), func(v any) bool {
				return v == any(identityOf("edge/waypoint")) && servedBy(s, s, svc) != "edge/waypoint" && guard.Waypoint.Namespace != "edge"
			})
		})
	}},
	{"a guard that comes anew lets in only who was let in before", func(p *Plan, s *mesh.Snapshot) {
		eachGuard(p, func(guard Policy, in []any) []any {
			stored := find(s, guard.Ref())
			if stored != nil && strings.Contains(fmt.Sprint(stored.Content()["spec"]), identityOf("edge/waypoint")) || servedBy(s, s, find(s, guard.For[0])) == "edge/waypoint" || guard.Waypoint.Namespace == "edge" {
				return in
			}
			return slices.DeleteFunc(slices.Clone(in), func(v any) bool { return v == any(identityOf("edge/waypoint")) })
		})
	}},
	{"what no policy is about is closed while it waits", func(p *Plan, s *mesh.Snapshot) {
		for i := range p.Policies {
			own := &p.Policies[i]
			if ready, known := s.ReadyEndpoints(find(s, own.For[0])); own.Role == Guarding && known && ready == 0 {
				own.Held = unservedHold
			}
		}
	}},
	{"what others labelled is not guarded", func(p *Plan, _ *mesh.Snapshot) {
		p.Policies = slices.DeleteFunc(p.Policies, func(own Policy) bool {
			return own.Role == Guarding && slices.ContainsFunc(p.Waypoints, func(w Waypoint) bool { return slices.Contains(w.Asked, own.For[0]) })
		})
	}},
	{"what is served is closed while it waits", func(p *Plan, _ *mesh.Snapshot) {
		for i := range p.Policies {
			if p.Policies[i].Role == Guarding {
				p.Policies[i].Held = unservedHold
			}
		}
	}},
}

// twofold are mistakes in what is planned from which the order protects as well, with an order that does not.
var twofold = []struct {
	name   string
	spoil  func(*Plan, *mesh.Snapshot)
	change func(*tables)
}{
	{"what must not move is released", goesAll, func(t *tables) {
		t.removing = instead(t.removing, "may go", func(c *course) outcome { return max(c.staysAdmitted(), c.staysBound()) })
	}},
}

// goesAll has waypoints go that stay for what must not move.
func goesAll(p *Plan, _ *mesh.Snapshot) {
	for i := range p.Waypoints {
		if w := &p.Waypoints[i]; strings.Contains(w.stays, " stays at waypoint ") {
			w.Idle, w.Needs = true, nil
		}
	}
}

// eachGuard changes whom the guards of a plan let in.
func eachGuard(p *Plan, change func(Policy, []any) []any) {
	for i := range p.Policies {
		if p.Policies[i].Role == Guarding {
			manifest := p.Policies[i].Manifest
			source := manifest["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)["from"].([]any)[0].(map[string]any)["source"].(map[string]any)
			source["notPrincipals"] = change(p.Policies[i], source["notPrincipals"].([]any))
		}
	}
}
