package trial

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
	"github.com/waywarden/waywarden/rules"
)

// Benchmark is what it costs to ask one rule about one object of its scenarios, once.
type Benchmark struct {
	Rule string
	N    int
	// Mean, P50 and P99 are of the time; Bytes and Allocs of what is allocated.
	Mean, P50, P99 time.Duration
	Bytes, Allocs  uint64
}

// Bench asks each rule about the objects of its scenarios, one after another, for a time. What the policies do is found out
// before, as it is for all rules together.
func Bench(pack *rules.Pack, only func(id string) bool, each time.Duration, done func(Benchmark) error) error {
	for _, r := range selected(pack, only) {
		if err := done(bench(pack, r, each)); err != nil {
			return err
		}
	}
	return nil
}

// round is one object of a scenario.
type round struct {
	in     scenario.Case
	object *mesh.Object
}

// batch is how many questions are asked between two looks at the memory.
const batch = 500

func bench(pack *rules.Pack, r *rules.Rule, long time.Duration) Benchmark {
	check := single(pack, r, r.Parse(), rules.Watch{})
	var rounds []round
	for _, c := range r.Scenarios().Cases {
		for _, o := range c.Objects {
			if slices.Contains(r.Kinds, o.Kind) {
				rounds = append(rounds, round{c, o})
			}
		}
	}
	out := Benchmark{Rule: r.ID}
	if len(rounds) == 0 {
		return out
	}
	asked := []*policies.Check{check}
	var (
		times         []time.Duration
		spent         time.Duration
		before, after runtime.MemStats
		views         = make([]*policies.View, batch)
	)
	for warm := false; spent < long; warm = true {
		for i := range views {
			one := rounds[i%len(rounds)]
			views[i] = one.in.View(check, one.object)
			views[i].Effects(one.object)
		}
		took := make([]time.Duration, batch)
		runtime.GC() // what was made ready is not to be paid for by the rule
		runtime.ReadMemStats(&before)
		for i, v := range views {
			start := time.Now()
			policies.Evaluate(asked, v, rounds[i%len(rounds)].object)
			took[i] = time.Since(start)
		}
		runtime.ReadMemStats(&after)
		if !warm {
			spent = time.Nanosecond
			continue
		}
		out.N += batch
		out.Bytes += after.TotalAlloc - before.TotalAlloc
		out.Allocs += after.Mallocs - before.Mallocs
		for _, t := range took {
			spent += t
		}
		times = append(times, took...)
	}
	slices.Sort(times)
	out.Mean = spent / time.Duration(out.N)
	out.P50, out.P99 = times[len(times)/2], times[len(times)*99/100]
	out.Bytes /= uint64(out.N)
	out.Allocs /= uint64(out.N)
	return out
}

// WriteHeader writes what stands above benchmarks in the format of Go, so that benchstat can compare runs.
func WriteHeader(w io.Writer) error {
	_, err := fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: rules\n", runtime.GOOS, runtime.GOARCH)
	return err
}

// Write writes a line in the format of Go's benchmarks.
func (b Benchmark) Write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "BenchmarkRule/%s-%d\t%8d\t%10d ns/op\t%10d p50-ns/op\t%10d p99-ns/op\t%8d B/op\t%6d allocs/op\n",
		b.Rule, runtime.GOMAXPROCS(0), b.N, b.Mean.Nanoseconds(), b.P50.Nanoseconds(), b.P99.Nanoseconds(), b.Bytes, b.Allocs)
	return err
}
