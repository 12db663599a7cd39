package audit

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

// TestLinesAreLost: what a full disk does not take is told, once for all lines of an audit.
func TestLinesAreLost(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var told []error
	LinesTo(full, func(err error) { told = append(told, err) })(News{New: newsOf(3, policies.High, v1alpha1.Deny)})
	if len(told) != 1 || !errors.Is(told[0], syscall.ENOSPC) || !strings.HasPrefix(told[0].Error(), "3 of 3 lines are lost: ") {
		t.Errorf("of lines that cannot be written is told %v", told)
	}
}
