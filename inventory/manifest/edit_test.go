package manifest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite what testdata/edit expects")

// Each archive holds a file before, the operations for its documents, and the file after or the error.
func TestEditGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var before, after string
			var changes []Change
			for _, f := range archive.Files {
				switch f.Name {
				case "before":
					before = string(f.Data)
				case "changes":
					if err := json.Unmarshal(f.Data, &changes); err != nil {
						t.Fatal(err)
					}
				default:
					after = string(f.Data)
				}
			}
			edited, err := Edit([]byte(before), changes...)
			name, got := "after", string(edited)
			if err != nil {
				name, got = "error", err.Error()+"\n"
			}
			if diff := cmp.Diff(after, got); diff != "" && !*update {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if *update {
				archive.Files = append(archive.Files[:2], txtar.File{Name: name, Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestEditWithoutOperations(t *testing.T) {
	for _, file := range []string{"", "not: [yaml", named("a"), "\uFEFF# c\r\n", "{{ x }}", "\xff"} {
		for _, changes := range [][]Change{nil, {{Document: 7}}, {{Document: 0, Ops: []Op{}}}} {
			if got, err := Edit([]byte(file), changes...); err != nil || string(got) != file {
				t.Errorf("Edit(%q, %v) = %q, %v", file, changes, got, err)
			}
		}
	}
}

func TestEditLineEnds(t *testing.T) {
	edit := func(file string, ops ...Op) string {
		t.Helper()
		got, err := Edit([]byte(file), Change{Ops: ops})
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	label := Op{Op: "add", Path: "/metadata/labels", Value: map[string]string{"a": "b"}}
	for before, after := range map[string]string{
		"apiVersion: v1\r\nkind: A\r\nmetadata:\r\n  name: x\r\n":       "apiVersion: v1\r\nkind: A\r\nmetadata:\r\n  name: x\r\n  labels:\r\n    a: b\r\n",
		"apiVersion: v1\nkind: A\nmetadata:\n  name: x":                 "apiVersion: v1\nkind: A\nmetadata:\n  name: x\n  labels:\n    a: b",
		"\uFEFFapiVersion: v1\nkind: A\nmetadata: {name: x}\n...\n# c":  "\uFEFFapiVersion: v1\nkind: A\nmetadata: {name: x, labels: {a: b}}\n...\n# c",
		"{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"n\":1}}": "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"n\":1,\"labels\":{\"a\":\"b\"}}}",
	} {
		if got := edit(before, label); got != after {
			t.Errorf("%q became\n%q, want\n%q", before, got, after)
		}
	}
}

// Without a line break at the end, the last line of a block scalar there has none either.
func TestEditAfterUnfinishedBlockScalar(t *testing.T) {
	const file = "apiVersion: v1\nkind: A\ntext: |\n  two\n  lines"
	got, err := Edit([]byte(file), Change{Ops: []Op{{Op: "add", Path: "/z", Value: 1}}})
	if want := "apiVersion: v1\nkind: A\ntext: |-\n  two\n  lines\nz: 1\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
}

// Nothing keeps a caller from emptying an object; what is left must still be one.
func TestEditEmptiesObject(t *testing.T) {
	for before, after := range map[string]string{
		"--- # r\n# c\napiVersion: v1\nkind: A\n": "--- # r\n{}\n",
		"apiVersion: v1\nkind: A\n":               "{}\n",
		"{apiVersion: v1, kind: A}\n":             "{}\n",
		`{"apiVersion": "v1", "kind": "A"}`:       "{}",
	} {
		got, err := Edit([]byte(before), Change{Ops: []Op{{Op: "remove", Path: "/kind"}, {Op: "remove", Path: "/apiVersion"}}})
		if string(got) != after || err != nil {
			t.Errorf("%q became %q, %v", before, got, err)
		}
	}
}

func TestEditRefusesAnotherFile(t *testing.T) {
	d := fromStdin(t, named("a")).Documents[0]
	change := d.Change(Op{Op: "remove", Path: "/metadata/name"})
	if _, err := Edit([]byte(named("b")), change); err == nil || !strings.Contains(err.Error(), "is not what it was when it was loaded. Load it again") {
		t.Errorf("edited a file that had changed: %v", err)
	}
	if _, err := Edit([]byte("# moved\n---\n"+named("a")), change); err == nil {
		t.Error("edited a file that had changed")
	}
	if _, err := Edit([]byte(named("a")), change); err != nil {
		t.Error(err)
	}
	if _, err := Edit([]byte(named("a")), Change{Document: 1, Ops: change.Ops}); err == nil || !strings.Contains(err.Error(), "the file has 1 documents, none with index 1") {
		t.Errorf("edited a document that is not there: %v", err)
	}
}

// Each operation that does not apply is an error that says why, and leaves the file alone.
func TestEditErrors(t *testing.T) {
	file := named("a") + "spec:\n  ports:\n  - port: 80\n"
	for want, op := range map[string]Op{
		"there is no /spec/absent":                             {Op: "remove", Path: "/spec/absent"},
		"there is no /status":                                  {Op: "add", Path: "/status/x", Value: 1},
		"there is no /metadata/labels":                         {Op: "replace", Path: "/metadata/labels", Value: 1},
		"there is no item 1. The sequence has 1":               {Op: "remove", Path: "/spec/ports/1"},
		"there is no item 3. The sequence has 2":               {Op: "add", Path: "/spec/ports/3", Value: 1},
		`"01" is no index of a sequence`:                       {Op: "replace", Path: "/spec/ports/01", Value: 1},
		`"-1" is no index of a sequence`:                       {Op: "remove", Path: "/spec/ports/-1"},
		`"-" is no index of a sequence`:                        {Op: "remove", Path: "/spec/ports/-"},
		"the parent is a single value":                         {Op: "add", Path: "/kind/x", Value: 1},
		"there is no /kind/x: its parent is a single value":    {Op: "remove", Path: "/kind/x"},
		`the test does not hold: the value is "Service"`:       {Op: "test", Path: "/kind", Value: "Pod"},
		"the path does not begin with /":                       {Op: "remove", Path: "kind"},
		"there is no such operation. Use add, remove, replace": {Op: "merge", Path: "/kind"},
		"the whole object cannot be removed":                   {Op: "remove", Path: ""},
		"the whole object cannot be replaced by something":     {Op: "replace", Path: "", Value: []int{1}},
		"a value cannot be moved into itself":                  {Op: "move", From: "/spec", Path: "/spec/x"},
		"there is no /nothing":                                 {Op: "copy", From: "/nothing", Path: "/spec/x"},
		"the value cannot be written as JSON":                  {Op: "add", Path: "/spec/x", Value: func() {}},
	} {
		got, err := Edit([]byte(file), Change{Ops: []Op{{Op: "remove", Path: "/metadata/name"}, op}})
		if got != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "nothing was changed: document 0 on line 1: ") {
			t.Errorf("%v: %q, %v; want an error with %q", op, got, err, want)
		}
	}
}

// TestEditKeepsWhatIsNotNamed applies an operation to one document of many and compares every other byte.
func TestEditKeepsWhatIsNotNamed(t *testing.T) {
	broken := "a: [unfinished\n"
	file := "# head\n" + named("a") + "--- # b\n" + named("b") + "---\n" + broken + "---\n{\"apiVersion\": \"v1\",\n \"kind\": \"C\"} # flow\n---\n\n\n" + named("d")
	got, err := Edit([]byte(file),
		Change{Document: 3, Ops: []Op{{Op: "replace", Path: "/metadata/name", Value: "D"}}},
		Change{Document: 1, Ops: []Op{{Op: "replace", Path: "/metadata/name", Value: "B"}}},
		Change{Document: 1, Ops: []Op{{Op: "add", Path: "/metadata/namespace", Value: "ns"}}},
		Change{Document: 2, Ops: []Op{{Op: "add", Path: "/spec", Value: []string{"x"}}}})
	want := "# head\n" + named("a") + "--- # b\n" + named("B") + "  namespace: ns\n---\n" + broken + "---\n{\"apiVersion\": \"v1\",\n \"kind\": \"C\", \"spec\": [\"x\"]} # flow\n---\n\n\n" + named("D")
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
