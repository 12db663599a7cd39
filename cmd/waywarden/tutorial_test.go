package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTutorial does what docs/writing-rules.md says, block by block. A block that begins with `# file: PATH` is that file, one
// with `# append: PATH` goes to its end. In a console block, a line that begins with `$ ` is run, and what stands below it is
// what it prints, with `[exit status N]` where that is not 0; where nothing stands below it, it may print what it likes. With
// -update, what is printed is written into the page.
func TestTutorial(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "writing-rules.md")
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	parts := strings.Split(string(raw), "```")
	if len(parts) < 20 || len(parts)%2 == 0 {
		t.Fatalf("the page has %d fences", len(parts)-1)
	}
	commands := 0
	for i := 1; i < len(parts); i += 2 {
		language, block, _ := strings.Cut(parts[i], "\n")
		if language == "console" {
			parts[i] = language + "\n" + console(t, dir, block, &commands)
			continue
		}
		if err := place(dir, block); err != nil {
			t.Fatal(err)
		}
	}
	if commands < 10 {
		t.Errorf("only %d commands were run", commands)
	}
	now := strings.Join(parts, "```")
	if *update {
		if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(raw), now); diff != "" {
		t.Errorf("what is printed is not what the page says (-page +printed; go test ./cmd/waywarden -run Tutorial -update rewrites it):\n%s", diff)
	}
}

// place writes a block that is a file.
func place(dir, block string) error {
	first, rest, _ := strings.Cut(block, "\n")
	verb, name, ok := strings.Cut(strings.TrimPrefix(first, "# "), ": ")
	if !ok || verb != "file" && verb != "append" {
		return fmt.Errorf("a block says neither `# file: …` nor `# append: …`:\n%s", block)
	}
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	var before []byte
	if verb == "append" {
		var err error
		if before, err = os.ReadFile(file); err != nil {
			return err
		}
	}
	return os.WriteFile(file, append(before, rest...), 0o644)
}

// console runs the commands of a block, and returns it with what they print.
func console(t *testing.T, dir, block string, commands *int) string {
	t.Helper()
	var out strings.Builder
	all := strings.Split("\n"+block, "\n$ ")
	if strings.TrimSpace(all[0]) != "" {
		t.Fatalf("a console block begins with no command:\n%s", block)
	}
	for _, one := range all[1:] {
		*commands++
		line, want, _ := strings.Cut(one, "\n")
		fmt.Fprintf(&out, "$ %s\n", line)
		args := strings.Fields(line)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		printed, err := cmd.CombinedOutput()
		status := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			status = exit.ExitCode()
		} else if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if strings.TrimSpace(want) == "" {
			if status != 0 {
				t.Errorf("%s: status %d\n%s", line, status, printed)
			}
			continue
		}
		out.Write(printed)
		if status != 0 {
			fmt.Fprintf(&out, "[exit status %d]\n", status)
		}
	}
	return out.String()
}
