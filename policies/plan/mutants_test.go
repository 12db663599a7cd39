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
			seed, _, why := each(4000, all[name])
			if why == "" {
				t.Fatal("4000 sequences do not tell it from ours")
			}
			t.Logf("%q: %d, // %s: %s", name, seed, time.Since(start).Round(time.Millisecond), why)
		})
	}
}
