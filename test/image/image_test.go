//go:build image

package image

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// TestDockerfile runs the Dockerfile's own build command, for each platform, where only that is there which .dockerignore lets
// through. What comes of it must need nothing else, as the image has neither a shell nor a C library.
func TestDockerfile(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	build := regexp.MustCompile(`--mount=\S+`).ReplaceAllString(instruction(t, string(raw), "RUN", "go build"), "")
	for _, want := range []string{"FROM gcr.io/distroless/static:nonroot", "USER 65532:65532", `ENTRYPOINT ["/waywarden"]`} {
		if !strings.Contains(string(raw), "\n"+want+"\n") {
			t.Errorf("the Dockerfile does not say %s", want)
		}
	}
	context := t.TempDir()
	let(t, context)
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			out := t.TempDir()
			cmd := exec.Command("sh", "-c", strings.ReplaceAll(build, "/out/", out+"/"))
			cmd.Dir = context
			cmd.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH="+arch, "VERSION=v1.2.3", "GOFLAGS=-mod=readonly")
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			binary, err := elf.Open(filepath.Join(out, "waywarden"))
			if err != nil {
				t.Fatal(err)
			}
			defer binary.Close()
			if binary.Machine != machine {
				t.Errorf("it is for %s, want %s", binary.Machine, machine)
			}
			for _, p := range binary.Progs {
				if p.Type == elf.PT_INTERP {
					t.Error("it is linked dynamically, and the image has no C library")
				}
			}
		})
	}
}

// instruction is the one that begins with a word and holds some text, its lines joined.
func instruction(t *testing.T, dockerfile, word, text string) string {
	t.Helper()
	for line := range strings.Lines(strings.ReplaceAll(dockerfile, "\\\n", " ")) {
		if rest, ok := strings.CutPrefix(line, word+" "); ok && strings.Contains(rest, text) {
			return rest
		}
	}
	t.Fatalf("no %s with %q", word, text)
	return ""
}

// let copies what .dockerignore lets through: the folders and files that it excepts, less tests.
func let(t *testing.T, into string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "!")
		if _, err := os.Stat(filepath.Join(root, name)); !ok || err != nil {
			continue
		}
		cp := exec.Command("cp", "-r", filepath.Join(root, name), filepath.Join(into, name))
		if out, err := cp.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	clean := exec.Command("find", into, "(", "-name", "testdata", "-o", "-name", "*_test.go", ")", "-prune", "-exec", "rm", "-r", "{}", "+")
	if out, err := clean.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
