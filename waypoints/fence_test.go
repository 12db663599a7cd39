package waypoints

import (
	"testing"
	"time"
)

// TestFence: whoever has not run for a while writes nothing, until its election has had the time to say who leads.
func TestFence(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var f fence
	step := func(d time.Duration) time.Duration {
		at = at.Add(d)
		if until := f.shut(at); !until.IsZero() {
			return until.Sub(at)
		}
		return 0
	}
	for _, tc := range []struct{ passes, shut time.Duration }{
		{0, 0}, {time.Second, 0}, {asleep, 0}, // busy, and not stopped
		{asleep + 1, doubt}, {time.Second, doubt - time.Second}, {time.Second, doubt - 2*time.Second},
		{asleep + 1, doubt}, // stopped again
		{asleep, doubt - asleep}, {asleep, doubt - 2*asleep}, {asleep, doubt - 3*asleep}, {asleep, doubt - 4*asleep}, {asleep, 0}, {time.Second, 0},
	} {
		if got := step(tc.passes); got != tc.shut {
			t.Errorf("%s later it is shut for %s, want %s", tc.passes, got, tc.shut)
		}
	}
}
