package memory

import (
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	for name, c := range map[string]struct {
		allowed *allowance
		live    uint64
		want    int
	}{
		"nothing":                    {serving, 0, 400},
		"a small mesh":               {serving, 10 << 20, 400},
		"a large one":                {serving, 64 << 20, 200},
		"a larger one":               {serving, 128 << 20, 100},
		"the largest":                {serving, 10 << 30, 100},
		"no divisor":                 {serving, 50 << 20, 256},
		"a small mesh, being listed": {starting, 10 << 20, 100},
		"a large one, being listed":  {starting, 32 << 20, 75},
		"the largest, being listed":  {starting, 10 << 30, 50},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.allowed.percent(c.live); got != c.want {
				t.Errorf("GOGC=%d, want %d", got, c.want)
			}
		})
	}
}

// limited are the limits of this process while a test runs.
func limited(t *testing.T, gogc int, asked string) *Limits {
	t.Setenv("GOMEMLIMIT", "set") // memlimit then takes what the runtime has
	before := debug.SetGCPercent(gogc)
	l := Limit(slog.New(slog.DiscardHandler), func(string) string { return asked })
	t.Cleanup(func() {
		l.Stop()
		debug.SetGCPercent(before)
	})
	return l
}

// TestLimit: GOGC follows what is in use, until it is stopped.
func TestLimit(t *testing.T) {
	l := limited(t, 100, "")
	held := make([]byte, 64<<20)
	await(t, 50, 50)
	l.Serve()
	await(t, 150, 205) // 64 MiB and what the test itself takes
	runtime.KeepAlive(held)
	await(t, 400, 400)
	l.Stop()
	debug.SetGCPercent(77)
	for range 3 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	if got := current(); got != 77 {
		t.Errorf("GOGC=%d after it was stopped, want 77", got)
	}
}

// TestAskedFor: what somebody asked for counts.
func TestAskedFor(t *testing.T) {
	l := limited(t, 50, "50")
	runtime.GC()
	l.Serve()
	if got := current(); got != 50 {
		t.Errorf("GOGC=%d, want 50", got)
	}
}

// await collects until GOGC is between from and to.
func await(t *testing.T, from, to int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		got := current()
		if from <= got && got <= to {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("GOGC=%d, want %d to %d", got, from, to)
		}
	}
}

func current() int {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
