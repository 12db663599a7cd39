package main

import (
	"log/slog"
	"math"
	"runtime/debug"
	"testing"
)

// TestLimitMemory: garbage may pile up where something bounds it, and what somebody asked for counts.
func TestLimitMemory(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "set") // memlimit then takes what the runtime has
	for name, c := range map[string]struct {
		limit      int64
		gogc       string
		want, from int
	}{
		"limited":               {limit: 1 << 30, from: 100, want: garbagePercent},
		"unlimited":             {limit: math.MaxInt64, from: 100, want: 100},
		"asked for by its user": {limit: 1 << 30, gogc: "50", from: 50, want: 50},
	} {
		t.Run(name, func(t *testing.T) {
			limit, percent := debug.SetMemoryLimit(c.limit), debug.SetGCPercent(c.from)
			defer debug.SetMemoryLimit(limit)
			defer debug.SetGCPercent(percent)
			limitMemory(slog.New(slog.DiscardHandler), func(string) string { return c.gogc })
			if got := debug.SetGCPercent(100); got != c.want {
				t.Errorf("GOGC=%d, want %d", got, c.want)
			}
		})
	}
}
