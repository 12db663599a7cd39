package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTutorial does what docs/writing-rules.md says, block by block. A block that begins with `# file: PATH` is that file, one
// with `# append: PATH` goes to its end. In a console block, a line that begins with `$ ` is run, and what stands below it is
// what it prints, with `[exit status N]` where that is not 0; where nothing stands below it, it may print what it likes.
// `NAME=$(command)` keeps what the command prints, for `$NAME`. localhost:5000 is a registry for images, and release.pem and
// release.pub a pair of keys. With -update, what is printed is written into the page.
func TestTutorial(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "writing-rules.md")
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	registry := imageRegistry("")
	t.Cleanup(registry.Close)
	r := &reader{dir: t.TempDir(), host: strings.TrimPrefix(registry.URL, "http://"), kept: map[string]string{}}
	private, public := ecdsaPair(t)
	r.write(t, "release.pem", private)
	r.write(t, "release.pub", public)
	parts := strings.Split(string(raw), "```")
	if len(parts) < 20 || len(parts)%2 == 0 {
		t.Fatalf("the page has %d fences", len(parts)-1)
	}
	for i := 1; i < len(parts); i += 2 {
		language, block, _ := strings.Cut(parts[i], "\n")
		if language == "console" {
			parts[i] = language + "\n" + r.console(t, block)
			continue
		}
		if err := r.place(block); err != nil {
			t.Fatal(err)
		}
	}
	if r.commands < 10 {
		t.Errorf("only %d commands were run", r.commands)
	}
	for i := 0; i < len(parts); i += 2 {
		if command := inSentence.FindString(parts[i]); command != "" {
			t.Errorf("%s stands in a sentence, where it is not run. Give it a console block", command)
		}
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

// reader is somebody who does what the page says.
type reader struct {
	dir      string
	host     string            // what is called localhost:5000
	kept     map[string]string // by the names of variables
	commands int
}

func (r *reader) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// place writes a block that is a file.
func (r *reader) place(block string) error {
	first, rest, _ := strings.Cut(block, "\n")
	verb, name, ok := strings.Cut(strings.TrimPrefix(first, "# "), ": ")
	if !ok || verb != "file" && verb != "append" {
		return fmt.Errorf("a block says neither `# file: …` nor `# append: …`:\n%s", block)
	}
	file := filepath.Join(r.dir, filepath.FromSlash(name))
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

// inSentence is a command with what it is given, other than a flag, in a sentence: `rules docs policies`, and not `rules docs`.
var inSentence = regexp.MustCompile("`(waywarden |(rules [a-z]+|scan|report|explain|fix) [^-`])[^`]*`")

// keeps is a line that keeps what a command prints.
var keeps = regexp.MustCompile(`^([A-Z]+)=\$\((.+)\)$`)

// console runs the commands of a block, and returns it with what they print.
func (r *reader) console(t *testing.T, block string) string {
	t.Helper()
	var out strings.Builder
	all := strings.Split("\n"+block, "\n$ ")
	if strings.TrimSpace(all[0]) != "" {
		t.Fatalf("a console block begins with no command:\n%s", block)
	}
	for _, one := range all[1:] {
		r.commands++
		line, want, _ := strings.Cut(one, "\n")
		fmt.Fprintf(&out, "$ %s\n", line)
		command, keep := line, ""
		if m := keeps.FindStringSubmatch(line); m != nil {
			keep, command = m[1], m[2]
		}
		printed, status := r.run(t, command)
		if keep != "" {
			r.kept[keep] = strings.TrimSpace(printed)
		}
		if strings.TrimSpace(want) == "" {
			if status != 0 {
				t.Errorf("%s: status %d\n%s", line, status, printed)
			}
			continue
		}
		out.WriteString(printed)
		if status != 0 {
			fmt.Fprintf(&out, "[exit status %d]\n", status)
		}
	}
	return out.String()
}

// run runs a command, and returns what it prints and how it ends.
func (r *reader) run(t *testing.T, command string) (string, int) {
	t.Helper()
	const registry = "localhost:5000"
	args := strings.Fields(strings.ReplaceAll(os.Expand(command, func(name string) string { return r.kept[name] }), registry, r.host))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = r.dir
	printed, err := cmd.CombinedOutput()
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.ReplaceAll(string(printed), r.host, registry), status
}
