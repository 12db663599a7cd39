package istiod

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReduce(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i
	}
	for _, culprits := range [][]int{{0}, {99}, {50}, {3, 97}, {0, 49, 50, 99}, {10, 11, 12, 13, 14, 15, 16}} {
		tried := 0
		got, err := reduce(hundred, func(part []int) (bool, error) {
			tried++
			return !slices.ContainsFunc(culprits, func(c int) bool { return !slices.Contains(part, c) }), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if diff := cmp.Diff(culprits, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if tried > 160 {
			t.Errorf("%v took %d attempts", culprits, tried)
		}
	}
}

// TestReduceKeepsWhatItHas stops in the middle.
func TestReduceKeepsWhatItHas(t *testing.T) {
	stop := errors.New("stop")
	tried := 0
	got, err := reduce([]int{1, 2, 3, 4, 5, 6, 7, 8}, func(part []int) (bool, error) {
		if tried++; tried == 3 {
			return false, stop
		}
		return slices.Contains(part, 1), nil
	})
	if err != stop || len(got) != 2 || !slices.Contains(got, 1) {
		t.Errorf("got %v, %v; want the quarter that has 1, and the error", got, err)
	}
}
