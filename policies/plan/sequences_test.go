package plan

import (
	"cmp"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// How many sequences are tried, and which: `make sequences` tries 10,000 of each sort, a test run as many as it can bear.
const (
	sequencesVariable = "WAYWARDEN_SEQUENCES" // how many of each sort
	sequenceVariable  = "WAYWARDEN_SEQUENCE"  // one, by its seed
)

// sorts are the seeds with which the sorts of sequences begin.
var sorts = []struct {
	name  string
	first uint64
}{{"made and removed", 0}, {"moved", firstMove}, {"shared", firstShared}}

// number is an environment variable, or what it is otherwise.
func number(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q is not a number", variable, text)
	}
	return n
}

// complaint is what went wrong in a sequence.
type complaint struct {
	seed uint64
	m    *model
	why  string
}

// each runs n sequences from the first on, on all processors, until so many of them as are enough complain. They are sorted.
func each(first, n uint64, mutated mutation, enough int) []complaint {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		next = first
		out  []complaint
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				own := next
				next++
				stop := len(out) >= enough || own >= first+n
				mu.Unlock()
				if stop {
					return
				}
				m, why := run(own, mutated)
				if why != "" {
					mu.Lock()
					out = append(out, complaint{own, m, why})
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	slices.SortFunc(out, func(a, b complaint) int { return cmp.Compare(a.seed, b.seed) })
	return out
}

// enough is after how many sequences that go wrong no more are tried.
const enough = 5

// TestNoGap: over random sequences of what people, pods, istiods and controllers do, nothing is let through that was not
// before, nothing is stopped that was not said, and every sequence comes to rest.
func TestNoGap(t *testing.T) {
	if os.Getenv(sequenceVariable) != "" {
		seed := number(t, sequenceVariable, 0)
		m, why := run(seed, mutation{})
		if why != "" {
			t.Fatalf("sequence %d: %s\n%s", seed, why, m.history())
		}
		t.Logf("sequence %d:\n%s", seed, m.history())
		return
	}
	n := number(t, sequencesVariable, 150)
	for _, sort := range sorts {
		start := time.Now()
		for _, c := range each(sort.first, n, mutation{}, enough) {
			t.Errorf("sequence %d: %s\nTo see it alone: %s=%d go test -count=1 -v -run TestNoGap ./policies/plan\n%s", c.seed, c.why, sequenceVariable, c.seed, c.m.history())
		}
		t.Logf("%d sequences from %d on (%s) in %s", n, sort.first, sort.name, time.Since(start).Round(time.Millisecond))
	}
}
