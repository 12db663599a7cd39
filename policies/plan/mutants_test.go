package plan

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutant is an order that differs from ours in one thing.
type mutant struct {
	name   string
	change func(*tables)
}

// seeds are sequences that tell a mutant from our order, so that not all have to be tried each time. They change with the
// model; the test searches again, and says what to write here.
var seeds = map[string]uint64{
	"label before the waypoint is ready":                             9,
	"label before the twins":                                         2,
	"label before every proxy knows the twins":                       821,
	"label before the waypoint is admitted":                          13,
	"label before every proxy knows the admission":                   2969,
	"admission before the twin, for what is bound":                   8,
	"admission before every proxy knows the twin, for what is bound": 43,
	"nothing is repeated while a waypoint is retained":               50,
	"Gateway deleted before the label":                               2,
	"Gateway deleted before every ztunnel knows":                     2,
	"Gateway deleted while connections are open":                     133,
	"admission removed before the label":                             8,
	"admission removed while connections are open":                   469,
	"admission removed before every ztunnel knows":                   209,
	"twins removed before the label":                                 2,
	"twins removed before every ztunnel knows":                       2,
	"twins removed while connections are open":                       32,
	"removed although the last ALLOW is ours":                        902,
	"removed although somebody else asks for it":                     24,
	"guard before the label is known":                                1358,
	"label before the guard is gone":                                 7,
	"unlabelled before every ztunnel knows that the guard is gone":   20,
	"a guard stays without its binding":                              134,
	"what nothing asks for is left":                                  305,
	"a guard forgets who is excepted":                                26,
	"an exception is a pattern":                                      26,
	"taken away while not all is seen":                               61,
	"moved before the new waypoint is ready":                         firstMove,
	"moved before the new waypoint has what names the old one":       firstMove + 4,
	"moved before the new waypoint is admitted":                      firstMove + 1,
	"moved before the guard lets the new waypoint in":                firstMove,
	"moved by taking the label off and setting it again":             firstMove,
	"the old waypoint goes while something is bound to it":           firstMove + 115,
	"the old waypoint goes before it is drained":                     firstMove + 39,
	"the old waypoint goes before every ztunnel knows":               firstMove,
	"the old waypoint is shut out before it is drained":              firstMove + 30,
	"a canary stays though nobody moves":                             firstMove + 118,
	"what is said at a waypoint that is left goes first":             firstMove + 12,
}

// without leaves stages out of a table.
func without(stages []stage, names ...string) []stage {
	out := slices.DeleteFunc(slices.Clone(stages), func(s stage) bool { return slices.Contains(names, s.name) })
	if len(out) == len(stages) {
		panic("no such stage: " + names[0])
	}
	return out
}

// before moves a stage to just before another one.
func before(stages []stage, name, other string) []stage {
	moved := stages[place(stages, name)]
	out := without(stages, name)
	return slices.Insert(out, place(out, other), moved)
}

func place(stages []stage, name string) int {
	i := slices.IndexFunc(stages, func(s stage) bool { return s.name == name })
	if i < 0 {
		panic("no such stage: " + name)
	}
	return i
}

// blind has stages not see the policies of a role.
func blind(stages []stage, role Role, names ...string) []stage {
	out := slices.Clone(stages)
	for _, name := range names {
		i := place(out, name)
		do := out[i].do
		out[i].do = func(c *course) outcome {
			all := c.policies
			defer func() { c.policies = all }()
			c.policies = slices.DeleteFunc(slices.Clone(all), func(p Policy) bool { return p.Role == role })
			return do(c)
		}
	}
	return out
}

// takeOff takes our label off what is bound elsewhere, as one would who does not know that it can be changed.
func (c *course) takeOff() outcome {
	for _, l := range c.labels {
		on := find(c.snapshot, l.On)
		if _, ours := storedLabel(c.Evidence.Managed, on); ours && !c.has(l) {
			return c.step(Step{Action: Release, Row: RemoveBinding, Object: refOf(on), Manifest: labelsManifest(l.On, "", nil), Preconditions: c.preconditions(on)})
		}
	}
	return settled
}

var mutants = []mutant{
	{"label before the waypoint is ready", func(t *tables) { t.making = without(t.making, "await ready") }},
	{"label before the twins", func(t *tables) { t.making = without(t.making, "make twins", "await twins") }},
	{"label before every proxy knows the twins", func(t *tables) { t.making = without(t.making, "await twins") }},
	{"label before the waypoint is admitted", func(t *tables) { t.making = without(t.making, "make admissions", "await admissions") }},
	{"label before every proxy knows the admission", func(t *tables) { t.making = without(t.making, "await admissions") }},
	{"admission before the twin, for what is bound", func(t *tables) {
		t.making = before(before(t.making, "await admitted for what is bound", "repeat for what is bound"), "admit for what is bound", "await admitted for what is bound")
	}},
	{"admission before every proxy knows the twin, for what is bound", func(t *tables) {
		t.making = without(t.making, "await repeated for what is bound")
	}},
	{"nothing is repeated while a waypoint is retained", func(t *tables) {
		t.removing = without(t.removing, "repeat for what is bound", "await repeated for what is bound", "admit for what is bound", "await admitted for what is bound")
	}},
	{"Gateway deleted before the label", func(t *tables) { t.removing = before(t.removing, "remove gateway", "release") }},
	{"Gateway deleted before every ztunnel knows", func(t *tables) { t.removing = without(t.removing, "await released", "drain") }},
	{"Gateway deleted while connections are open", func(t *tables) { t.removing = without(t.removing, "drain") }},
	{"admission removed before the label", func(t *tables) { t.removing = before(t.removing, "remove admissions", "release") }},
	{"admission removed while connections are open", func(t *tables) { t.removing = before(t.removing, "remove admissions", "drain") }},
	{"admission removed before every ztunnel knows", func(t *tables) { t.removing = before(t.removing, "remove admissions", "await released") }},
	{"twins removed before the label", func(t *tables) { t.removing = before(t.removing, "remove twins", "release") }},
	{"twins removed before every ztunnel knows", func(t *tables) { t.removing = before(t.removing, "remove twins", "await released") }},
	{"twins removed while connections are open", func(t *tables) { t.removing = before(t.removing, "remove twins", "drain") }},
	{"removed although the last ALLOW is ours", func(t *tables) { t.removing = without(t.removing, "may go") }},
	{"removed although somebody else asks for it", func(t *tables) { t.removing = without(t.removing, "foreign") }},
	{"guard before the label is known", func(t *tables) { t.making = before(t.making, "make guards", "bind") }},
	{"label before the guard is gone", func(t *tables) {
		t.removing = before(before(t.removing, "release", "remove guards"), "await released", "remove guards")
	}},
	{"unlabelled before every ztunnel knows that the guard is gone", func(t *tables) { t.removing = without(t.removing, "await guards removed") }},
	{"a guard stays without its binding", func(t *tables) {
		t.making, t.removing = without(t.making, "remove stale guards"), without(t.removing, "remove stale guards")
	}},
	{"moved before the new waypoint is ready", func(t *tables) { t.making = without(t.making, "await ready") }},
	{"moved before the new waypoint has what names the old one", func(t *tables) {
		t.making = blind(t.making, Copy, "repeat for what is bound", "await repeated for what is bound", "make twins", "await twins")
	}},
	{"moved before the new waypoint is admitted", func(t *tables) { t.making = without(t.making, "make admissions", "await admissions") }},
	{"moved before the guard lets the new waypoint in", func(t *tables) { t.making = without(t.making, "widen guards") }},
	{"moved by taking the label off and setting it again", func(t *tables) {
		i := place(t.making, "bind")
		t.making = slices.Insert(slices.Clone(t.making), i, stage{"take off", (*course).takeOff})
	}},
	{"the old waypoint goes while something is bound to it", func(t *tables) { t.removing = without(t.removing, "await moves") }},
	{"the old waypoint goes before it is drained", func(t *tables) { t.removing = without(t.removing, "drain") }},
	{"the old waypoint goes before every ztunnel knows", func(t *tables) { t.removing = without(t.removing, "await released", "drain") }},
	{"the old waypoint is shut out before it is drained", func(t *tables) { t.removing = before(t.removing, "remove admissions", "await released") }},
	{"a canary stays though nobody moves", func(t *tables) { t.making = without(t.making, "roll back") }},
	{"what is said at a waypoint that is left goes first", func(t *tables) { t.removing = before(t.removing, "remove copies", "await moves") }},
	{"taken away while not all is seen", func(t *tables) { t.removing = without(t.removing, "see") }},
	{"what nothing asks for is left", func(t *tables) { t.making = without(t.making, "remove orphans") }},
}

// spoilers are mistakes in what is planned.
var spoilers = []struct {
	name  string
	spoil func(*Plan)
}{
	{"a guard excepts more than is named", func(p *Plan) {
		eachGuard(p, func(in []any) []any { return append(in, clients[1].principal()) })
	}},
	{"an exception is a pattern", func(p *Plan) {
		eachGuard(p, func(in []any) []any {
			if !slices.Contains(in, any(insider.principal())) {
				return in
			}
			return append(in, "cluster.local/ns/shop/sa/*")
		})
	}},
	{"a guard forgets who is excepted", func(p *Plan) {
		eachGuard(p, func(in []any) []any {
			return slices.DeleteFunc(slices.Clone(in), func(v any) bool { return v == any(insider.principal()) })
		})
	}},
	{"a guard forgets the waypoint", func(p *Plan) {
		eachGuard(p, func(in []any) []any {
			return append(slices.DeleteFunc(slices.Clone(in), func(v any) bool { return strings.HasSuffix(v.(string), "waypoint") }), "cluster.local/ns/shop/sa/nobody")
		})
	}},
	{"what is served is closed while it waits", func(p *Plan) {
		for i := range p.Policies {
			if p.Policies[i].Role == Guarding {
				p.Policies[i].Held = unservedHold
			}
		}
	}},
}

// eachGuard changes whom the guards of a plan let in.
func eachGuard(p *Plan, change func([]any) []any) {
	for i := range p.Policies {
		if p.Policies[i].Role == Guarding {
			manifest := p.Policies[i].Manifest
			source := manifest["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)["from"].([]any)[0].(map[string]any)["source"].(map[string]any)
			source["notPrincipals"] = change(source["notPrincipals"].([]any))
		}
	}
}

// TestMutants: the property finds each of these orders, and each of these mistakes.
func TestMutants(t *testing.T) {
	all := map[string]mutation{}
	for _, mu := range mutants {
		order := standard()
		mu.change(&order)
		all[mu.name] = mutation{order: &order}
	}
	for _, sp := range spoilers {
		all[sp.name] = mutation{spoil: sp.spoil}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if _, why := run(seeds[name], mutation{}); why != "" {
				t.Fatalf("sequence %d tells nothing, because it complains of our order too: %s", seeds[name], why)
			}
			if _, why := run(seeds[name], all[name]); why != "" {
				return
			}
			first := uint64(0)
			for _, sort := range sorts {
				if seeds[name] >= sort.first {
					first = sort.first
				}
			}
			found := each(first, 4000, all[name], 1)
			if len(found) == 0 {
				t.Fatal("4000 sequences do not tell it from ours")
			}
			t.Logf("%q: %d, // %s: %s", name, found[0].seed, time.Since(start).Round(time.Millisecond), found[0].why)
		})
	}
}
