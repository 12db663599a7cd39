package main

import (
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// garbagePercent is how much garbage may come to the live heap before it is collected, where the memory is limited: Go's
// default of 100 collects four times as often. A request makes garbage for its own size and the collector goes through
// the whole mesh for it, so with a large mesh this is what admission costs most.
const garbagePercent = 400

// limitMemory tells the garbage collector how much memory the container has, nine tenths of which it keeps to, and to
// collect seldom while far from that. The closer the heap comes, the more often it collects, as with Go's default.
// GOMEMLIMIT and GOGC, where they are set, count. Without a limit it leaves Go's default.
func limitMemory(log *slog.Logger, getenv func(string) string) {
	limit, err := memlimit.Set(memlimit.WithLogger(log))
	switch {
	case err != nil:
		log.Info("the garbage collector is not told how much memory there is", "why", err.Error())
	case limit > 0 && limit < math.MaxInt64 && getenv("GOGC") == "":
		debug.SetGCPercent(garbagePercent)
	}
}
