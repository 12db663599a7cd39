// Package memory says how much garbage may come up in a process that answers admission.
package memory

import (
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// allowance is how much garbage may come up before it is collected.
//
// To collect, Go goes through all that is in use, which takes about a millisecond for a MiB. Its default, to do so whenever as
// much garbage has come up as is in use, works most where little is in use, and takes the most memory where much is. A request
// makes as much garbage in a small mesh as in a large one, so an amount is what counts; in percent of what is in use,
// which is how Go is told, it has bounds.
type allowance struct {
	bytes       uint64
	least, most uint64 // percent
}

var (
	// starting is while the mesh is listed: nobody waits for an answer, each object brings twenty times its size in garbage, and what
	// is kept comes to lie wherever there is room between that. So the less garbage, the denser the memory, for as long as
	// the process runs.
	starting = &allowance{bytes: 24 << 20, least: 50, most: 100}
	serving  = &allowance{bytes: 128 << 20, least: 100, most: 400}
)

// percent is the GOGC for what is in use, in bytes.
func (a *allowance) percent(live uint64) int {
	return int(max(a.least, min(a.most, a.bytes*100/max(1, live))))
}

// Limits are those of the process. There are none but one at a time.
type Limits struct {
	allowed atomic.Pointer[allowance] // nil once stopped
	percent int                       // as it was set last
	asked   bool                      // by the environment
}

// Limit tells the garbage collector how much memory the container has, nine tenths of which it keeps to, and from then
// until Stop how much garbage may come up: little, until Serve. GOMEMLIMIT and GOGC, where they are set, count.
func Limit(log *slog.Logger, getenv func(string) string) *Limits {
	if _, err := memlimit.Set(memlimit.WithLogger(log)); err != nil {
		log.Info("the garbage collector is not told how much memory there is", "why", err.Error())
	}
	l := &Limits{asked: getenv("GOGC") != ""}
	if !l.asked {
		l.allowed.Store(starting)
		l.set(int(starting.most))
		l.arm()
	}
	return l
}

// Serve allows as much garbage as answering takes, and returns to the machine what listing took, which Go would keep for a while.
func (l *Limits) Serve() {
	l.allowed.CompareAndSwap(starting, serving)
	debug.FreeOSMemory()
}

// Stop leaves GOGC as it is.
func (l *Limits) Stop() { l.allowed.Store(nil) }

// sentinel is garbage at once, and what is to be done when it is collected is done after each collection. It holds a pointer, as
// what is smaller shares its memory with others.
type sentinel struct{ _ *sentinel }

func (l *Limits) arm() { runtime.AddCleanup(&sentinel{}, (*Limits).collected, l) }

func (l *Limits) collected() {
	allowed := l.allowed.Load()
	if allowed == nil {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	now := allowed.percent(sample[0].Value.Uint64())
	if diff := now - l.percent; max(diff, -diff)*20 > l.percent { // to set it holds up the program for a moment
		l.set(now)
	}
	l.arm()
}

func (l *Limits) set(percent int) {
	l.percent = percent
	debug.SetGCPercent(percent)
}
