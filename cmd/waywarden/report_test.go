package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWriteWhole: what ends in the middle, as on a full disk, leaves nothing behind and nothing changed.
func TestWriteWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	full := func(w io.Writer) error {
		if _, err := w.Write([]byte("half")); err != nil {
			return err
		}
		return syscall.ENOSPC
	}
	for _, before := range []string{"", "an earlier report"} {
		if before != "" {
			if err := os.WriteFile(file, []byte(before), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := writeWhole(file, full); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a full disk: %v", err)
		}
		if data, err := os.ReadFile(file); before == "" && err == nil || before != "" && string(data) != before {
			t.Errorf("before it was %q, and now it is %q, %v", before, data, err)
		}
		if left, err := filepath.Glob(file + "*.part"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
}
