package plan

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// seeds are sequences that tell a mutant from our order, so that not all have to be tried each time. They change with the
// model; the test searches again, and says what to write here.
var seeds = map[string]uint64{
	"what must not move is released":                                 715,
	"a label that was not taken off is gone":                         139,
	"time is over although connections are counted":                  38,
	"a guard that was not changed lets the waypoint in":              1091,
	"one that does not answer has no connections":                    38,
	"labelled after readiness was lost":                              9,
	"an admission that was refused is there":                         43,
	"admission before the twin that is written elsewhere":            firstMove + 114,
	"a twin that was refused is there":                               43,
	"label before the waypoint is ready":                             9,
	"label before the twins":                                         2,
	"label before every proxy knows the twins":                       firstShared + 338,
	"label before the waypoint is admitted":                          13,
	"label before every proxy knows the admission":                   3569,
	"admission before the twin, for what is bound":                   8,
	"admission before every proxy knows the twin, for what is bound": 49,
	"nothing is repeated while a waypoint is retained":               1003,
	"Gateway deleted before the label":                               2,
	"Gateway deleted before every ztunnel knows":                     11,
	"Gateway deleted while connections are open":                     133,
	"admission removed before the label":                             8,
	"admission removed while connections are open":                   469,
	"admission removed before every ztunnel knows":                   55,
	"twins removed before the label":                                 2,
	"twins removed before every ztunnel knows":                       44,
	"twins removed while connections are open":                       firstShared + 18,
	"removed although the last ALLOW is ours":                        524,
	"removed although somebody else asks for it":                     24,
	"guard before the label is known":                                113,
	"label before the guard is gone":                                 5,
	"unlabelled before every ztunnel knows that the guard is gone":   20,
	"a guard stays without its binding":                              134,
	"what nothing asks for is left":                                  305,
	"what no policy is about is closed while it waits":               5,
	"a guard forgets who is excepted":                                26,
	"what others labelled is not guarded":                            87,
	"an exception is a pattern":                                      26,
	"taken away while not all is seen":                               61,
	"moved before the new waypoint is ready":                         firstMove + 2,
	"moved before every proxy knows the new waypoint":                firstMove + 174,
	"moved before the new waypoint has what names the old one":       firstMove + 4,
	"moved before the new waypoint is admitted":                      firstMove + 1,
	"moved before the guard lets the new waypoint in":                firstMove,
	"moved by taking the label off and setting it again":             firstMove,
	"the old waypoint goes while something is bound to it":           firstMove + 66,
	"the old waypoint goes before it is drained":                     firstShared,
	"the old waypoint goes before every ztunnel knows":               firstShared + 1,
	"the old waypoint is shut out before it is drained":              firstMove + 73,
	"a canary stays though nobody moves":                             firstMove + 1796,
	"what is said at a waypoint that is left goes first":             firstMove + 18,

	"nobody is told that an ALLOW of ours is the last":                 2239,
	"a namespace is let attach no more before it has left":             firstShared + 2,
	"two waypoints of one name have one admission":                     firstShared + 1,
	"a guard forgets the waypoint that is left, and that others share": firstShared + 19,
	"a guard that comes anew lets in only who was let in before":       firstShared + 1627,
}

// TestMutants: the property finds each of these orders, and each of these mistakes.
func TestMutants(t *testing.T) {
	all := map[string]mutation{}
	for _, mu := range slices.Concat(mutants, evidenceMutants) {
		order := standard()
		mu.change(&order)
		all[mu.name] = mutation{order: &order}
	}
	for _, sp := range spoilers {
		all[sp.name] = mutation{spoil: sp.spoil}
	}
	for _, both := range twofold {
		order := standard()
		both.change(&order)
		all[both.name] = mutation{order: &order, spoil: both.spoil}
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
