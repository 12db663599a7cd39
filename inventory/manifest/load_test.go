package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// tree writes the files of a txtar archive to a directory and goes there, so that paths in results are short.
func tree(t *testing.T, archive string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, f := range txtar.Parse([]byte(archive)).Files {
		write(t, f.Name, string(f.Data))
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// summary is one line for each document and each problem.
func summary(r Result) []string {
	var lines []string
	for _, d := range r.Documents {
		meta, _ := d.Content["metadata"].(map[string]any)
		lines = append(lines, fmt.Sprintf("%s:%d[%d] %v/%v", d.File, d.Line, d.Index, d.Content["kind"], meta["name"]))
	}
	for _, p := range r.Problems {
		lines = append(lines, p.Error())
	}
	return lines
}

func load(t *testing.T, opts Options, paths ...string) Result {
	t.Helper()
	r, err := Load(opts, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// contains checks that there are as many lines as wanted and each begins with, or has, the words wanted, parted by "…".
func contains(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i, line := range got {
		for _, part := range strings.Split(want[i], "…") {
			if !strings.Contains(line, part) {
				t.Errorf("line %d is\n\t%s\nwhich has no\n\t%s", i, line, part)
			}
		}
	}
}

const service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n"

func named(name string) string { return fmt.Sprintf(service, name) }

func fromStdin(t *testing.T, text string) Result {
	t.Helper()
	return load(t, Options{Stdin: strings.NewReader(text)}, "-")
}

func TestLoadPaths(t *testing.T) {
	tree(t, `
-- b/two.yml --
apiVersion: v1
kind: Service
metadata: {name: two}
-- b/one.yaml --
# comment

apiVersion: v1
kind: Service
metadata: {name: one}
---
---
# nothing
---
apiVersion: v1
kind: Service
metadata: {name: one-b}
-- b/deep/er/three.json --
{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "three"}}
-- b/README.md --
not: [read
-- b/.hidden.yaml --
not: [read
-- b/.git/config.yaml --
not: [read
-- b/values.yaml --
replicas: 3
-- plain.txt --
apiVersion: v1
kind: Service
metadata: {name: plain}
`)
	r := load(t, Options{Stdin: strings.NewReader(named("piped"))}, "plain.txt", "-", "b", "b/one.yaml", "-")
	want := []string{
		"plain.txt:1[0] Service/plain",
		"<stdin>:1[0] Service/piped",
		"b/deep/er/three.json:1[0] Service/three",
		"b/one.yaml:3[0] Service/one",
		"b/one.yaml:10[1] Service/one-b",
		"b/two.yml:1[0] Service/two",
	}
	if diff := cmp.Diff(want, summary(r)); diff != "" {
		t.Error(diff)
	}
	if r.Files != 6 || !cmp.Equal(r.Skipped, []string{"b/values.yaml"}) {
		t.Errorf("Files %d, Skipped %v", r.Files, r.Skipped)
	}
	contains(t, summary(load(t, Options{}, "b/values.yaml")), "b/values.yaml:1: not evaluated: a Kubernetes object has an apiVersion and a kind")
}

func TestLoadErrors(t *testing.T) {
	tree(t, `
-- empty/README.md --
-- comments.yaml --
# only
-- values/values.yaml --
a: 1
`)
	for name, paths := range map[string][]string{
		"no path was given":                        nil,
		"absent.yaml does not exist":               {"comments.yaml", "absent.yaml"},
		"empty holds no manifest":                  {"empty"},
		"no Kubernetes object in comments.yaml":    {"comments.yaml"},
		"no Kubernetes object in -":                {"-"},
		"no Kubernetes object in values":           {"values"},
		"no Kubernetes object in comments.yaml, -": {"comments.yaml", "-"},
	} {
		r, err := Load(Options{}, paths...)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.HasPrefix(err.Error(), "nothing to read: ") {
			t.Errorf("Load(%v) = %v, want an error with %q", paths, err, name)
		}
		if len(r.Documents)+len(r.Problems) > 0 {
			t.Errorf("Load(%v) returned %v besides the error", paths, summary(r))
		}
	}
}

// An empty cluster is not a mistake.
func TestLoadEmptyList(t *testing.T) {
	for _, list := range []string{
		"apiVersion: v1\nkind: List\nitems: []\n", "apiVersion: v1\nkind: List\n", `{"apiVersion": "v1", "kind": "List", "items": []}`,
	} {
		if r := fromStdin(t, list); len(r.Documents)+len(r.Problems) != 0 || r.Files != 1 {
			t.Errorf("%q: %v", list, summary(r))
		}
	}
}

// faulty are texts and what is returned of them.
func faulty() map[string]struct {
	text string
	want []string
} {
	return map[string]struct {
		text string
		want []string
	}{
		"not YAML": {
			named("a") + "---\na: 1\nb:\n  c: 1\n d: 2\n---\n" + named("b"),
			[]string{"<stdin>:1[0] Service/a", "<stdin>:11[1] Service/b", "<stdin>:9: not evaluated: this is not YAML (…on line 5."},
		},
		"not closed": {"a: 1\nb: [1,\n  2\nc: 3\n", []string{"<stdin>:2: not evaluated: this is not YAML"}},
		"quote":      {"a: 1\nb: \"x\nc: 3\n", []string{"<stdin>:2: not evaluated: this is not YAML"}},
		"tab":        {"a: 1\n\tb: x\nc: 3\n", []string{"<stdin>:2: not evaluated: this is not YAML"}},
		"first line": {"a: b: c\n", []string{"<stdin>:1: not evaluated: this is not YAML"}},
		"anchor":     {"a: 1\nb: *x\nc: 2\nd: 3\n", []string{"<stdin>:2: not evaluated: this is not YAML (unknown anchor"}},
		"control":    {"a: 1\nb: \x01\nc: 2\nd: 3\n", []string{"<stdin>:2: not evaluated: this is not YAML (control"}},
		"not UTF-8":  {"a: 1\nb: \xff\nc: 2\nd: 3\n", []string{"<stdin>:2: not evaluated: this is not YAML"}},
		"UTF-16":     {"\xff\xfea\x00:\x00", []string{"<stdin>: not evaluated: it is encoded in UTF-16"}},
		"sequence":   {"- a\n", []string{"<stdin>:1:1: not evaluated: a Kubernetes object is a mapping, this is a sequence"}},
		"text":       {"\n\nhello\n", []string{"<stdin>:3:1: not evaluated: a Kubernetes object is a mapping, this is text"}},
		"no kind": {
			"apiVersion: v1\nmetadata: {}\n",
			[]string{"<stdin>:1:1: not evaluated: this has an apiVersion (v1) and no kind. Add the kind."},
		},
		"no apiVersion": {
			"# x\nkind: Service\n",
			[]string{"<stdin>:2:1: not evaluated: this has a kind (Service) and no apiVersion."},
		},
		"number as kind": {
			"apiVersion: v1\nkind: 5\n",
			[]string{"<stdin>:1:1: not evaluated: apiVersion and kind must be text, here they are v1 and 5."},
		},
		"repeated": {
			named("a") + "  name: b\n  labels: {x: y, x: z}\n",
			[]string{"<stdin>:1[0] Service/b", "<stdin>:5:3: metadata.name: only the last value counts", "<stdin>:6:18: metadata.labels.x: only the last"},
		},
		"repeated JSON": {
			`{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "name": "b"}}`,
			[]string{"<stdin>:1[0] Service/b", "<stdin>:1:67: metadata.name: only the last value counts"},
		},
		"NaN": {
			named("a") + "spec:\n  weight: .nan\n",
			[]string{"<stdin>:6:11: spec.weight: not evaluated: NaN cannot be stored"},
		},
		"complex key": {
			named("a") + "spec:\n  [a]: b\n",
			[]string{"<stdin>:6:3: …not evaluated: a key must be a string, this one is a sequence."},
		},
		"cycle": {named("a") + "spec: &s\n  a: *s\n", []string{"nested more than 1000 levels deep"}},
		"merge": {named("a") + "  <<: 5\n", []string{"<stdin>:5:7: …the merge key << needs a mapping"}},
		"kustomization": {
			"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
			[]string{"<stdin>:1: its overlays are not applied: …kustomize build . | waywarden scan -"},
		},
		"flux": {
			"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\n",
			[]string{"<stdin>:1[0] Kustomization/a"},
		},
		"JSON": {"{\n  \"a\": 1,\n  \"b\" 2\n}\n", []string{"<stdin>:3:7: not evaluated: this is not JSON"}},
		"JSON cut off": {
			"{\n  \"a\": 1,\n  \"b\": {",
			[]string{"<stdin>:1:1: not evaluated: this is not JSON (the object that begins here does not end)"},
		},
		"JSON number": {
			`{"apiVersion": "v1", "kind": "Service", "n": 1e999}`,
			[]string{"<stdin>:1:1: not evaluated: this is not JSON (1e999 is too large for a number)"},
		},
		"second in JSON": {
			`{"apiVersion": "v1", "kind": "A"}` + "\n{\"b\": }",
			[]string{"<stdin>:1[0] A/<nil>", "<stdin>:2:7: not evaluated: this is not JSON"},
		},
		"item no mapping": {
			"apiVersion: v1\nkind: List\nitems:\n- 5\n- apiVersion: v1\n  kind: A\n",
			[]string{"<stdin>:5[0] A/<nil>", "<stdin>:4:3: not evaluated: a Kubernetes object is a mapping, this is a single value"},
		},
	}
}

func TestLoadProblems(t *testing.T) {
	for name, c := range faulty() {
		t.Run(name, func(t *testing.T) {
			contains(t, summary(fromStdin(t, c.text)), c.want...)
		})
	}
}

func TestLoadTooLarge(t *testing.T) {
	tree(t, "-- a.yaml --\n"+named("a")+strings.Repeat("# filler\n", 100)+"-- b.yaml --\n"+named("b"))
	opts := Options{MaxBytes: 200, Stdin: strings.NewReader(strings.Repeat("# filler\n", 100))}
	contains(t, summary(load(t, opts, "a.yaml", "b.yaml", "-")),
		"b.yaml:1[0] Service/b",
		"a.yaml: not evaluated: it has 949 bytes, more than the 200 allowed. Split it, or raise the bound.",
		"<stdin>: not evaluated: it has more than the 200 bytes allowed.")
}

func TestLoadUnreadable(t *testing.T) {
	opts := Options{Stdin: iotest.ErrReader(errors.New("pipe burst"))}
	contains(t, summary(load(t, opts, "-")), "<stdin>: not evaluated: reading it broke off (pipe burst). Try again.")
}

func TestLoadSymbolicLinks(t *testing.T) {
	tree(t, "-- real/a.yaml --\n"+named("a")+"-- real/sub/b.yaml --\n"+named("b"))
	for link, to := range map[string]string{
		"real/sub/loop": "..", "real/self": "self", "real/gone.yaml": "nowhere", "real/again.yaml": "a.yaml", "other": "real", "real/..data": "sub",
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	contains(t, summary(load(t, Options{}, "other", "real")),
		"other/a.yaml:1[0] Service/a", "other/sub/b.yaml:1[0] Service/b", "other/gone.yaml: not evaluated: the symbolic link leads nowhere")
}

func TestLoadList(t *testing.T) {
	const list = `# dump
apiVersion: v1
kind: List
metadata: {}
items:
- apiVersion: v1
  kind: Service
  metadata:
    name: a

  # about b
- kind: Service
  apiVersion: v1
  metadata: {name: b}
- apiVersion: v1
  kind: ServiceList
  items:
  - metadata: {name: c}
  - metadata:
      name: d
`
	r := fromStdin(t, list)
	contains(t, summary(r), "<stdin>:6[0] Service/a", "<stdin>:12[1] Service/b", "<stdin>:18[2] Service/c", "<stdin>:19[3] Service/d")
	if line, column := r.Documents[3].Position("metadata.name"); line != 20 || column != 7 {
		t.Errorf("metadata.name of the last item is at %d:%d", line, column)
	}
	if got := r.Documents[2].Content["apiVersion"]; got != "v1" {
		t.Errorf("an item of a ServiceList has apiVersion %v", got)
	}
}

func TestLoadJSON(t *testing.T) {
	const stream = `{"apiVersion": "v1", "kind": "A", "n": 1, "big": 12345678901234567890, "f": 1.5, "e": 1e2, "u": "\ud83d\ude00"}
{
  "apiVersion": "v1",
  "kind": "B"
} {"apiVersion": "v1", "kind": "C",
  "x": [1]}
---
apiVersion: v1
kind: D
---
# JSON with a comment is YAML
{"apiVersion": "v1", "kind": "E"} # here
---
{apiVersion: v1, kind: F}
---
{
  "kind": "List", "apiVersion": "v1", "items": [
    {"apiVersion": "v1", "kind": "G"},
    {"apiVersion": "v1",
     "kind": "H"}
  ]
}
...
`
	r := fromStdin(t, stream)
	contains(t, summary(r), "<stdin>:1[0] A/", "<stdin>:2[1] B/", "<stdin>:5[2] C/", "<stdin>:8[3] D/", "<stdin>:12[4] E/", "<stdin>:14[5] F/", "<stdin>:18[6] G/", "<stdin>:19[7] H/")
	want := map[string]any{"apiVersion": "v1", "kind": "A", "n": int64(1), "big": 12345678901234567890.0, "f": 1.5, "e": 100.0, "u": "😀"}
	if diff := cmp.Diff(want, r.Documents[0].Content); diff != "" {
		t.Error(diff)
	}
	for i, want := range map[int][2]int{0: {1, 22}, 1: {4, 3}, 2: {5, 24}, 3: {9, 1}, 4: {12, 22}, 7: {20, 6}} {
		if line, column := r.Documents[i].Position("kind"); line != want[0] || column != want[1] {
			t.Errorf("kind of document %d is at %d:%d, want %v", i, line, column, want)
		}
	}
	if line, column := r.Documents[2].Position("x[0]"); line != 6 || column != 9 {
		t.Errorf("x[0] is at %d:%d", line, column)
	}
}

func TestLoadIsDeterministic(t *testing.T) {
	var file strings.Builder
	for i := range 500 {
		fmt.Fprintf(&file, service+"---\n", fmt.Sprint("s", i))
		if i%7 == 0 {
			file.WriteString("- broken\n---\n")
		}
	}
	first := summary(fromStdin(t, file.String()))
	for range 5 {
		if diff := cmp.Diff(first, summary(fromStdin(t, file.String()))); diff != "" {
			t.Fatal(diff)
		}
	}
}
