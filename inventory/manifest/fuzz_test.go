package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

func seeds(f *testing.F) []string {
	var files []string
	paths, _ := filepath.Glob("testdata/edit/*.txtar")
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		files = append(files, string(archive.Files[0].Data))
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		file, _ := randomFile(&writer{Rand: r, compact: seed%2 == 0, step: 2, flow: 20})
		files = append(files, file)
	}
	return append(files,
		"a: 1\n---\n- b\n...\n%YAML 1.1\n--- !t\nc: &c [*c]\n", "{\"a\": 1}{\"b\": [1e999]}", "\uFEFF---\r\na: |+\r\n\r\n", "{{ .Values.x }}\n",
		"apiVersion: v1\nkind: A\nx: !!binary aGk=\ny: ! yes\n? z\n: 1\n", "apiVersion: v1\nkind: List\nitems: [{kind: A, apiVersion: b}]\n")
}

// FuzzLoad feeds arbitrary bytes: nothing panics or hangs, and what is returned holds together.
func FuzzLoad(f *testing.F) {
	for _, file := range seeds(f) {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		defer inTime(t)()
		r, err := Load(Options{Stdin: bytes.NewReader(file)}, "-")
		if err != nil && len(r.Documents)+len(r.Problems) > 0 {
			t.Fatal("an error and a result", err)
		}
		lines := editorLines(file) + 1
		for i, d := range r.Documents {
			if d.Index != i || d.Line < 1 || d.Line > lines || d.File != stdinName {
				t.Fatalf("document %d: Index %d, Line %d of %d", i, d.Index, d.Line, lines)
			}
			for _, field := range []string{"", "kind", "metadata.name", "a[0].b", "items[0]"} {
				if line, column := d.Position(field); line < 1 || line > lines || column < 1 {
					t.Fatalf("%s is at %d:%d", field, line, column)
				}
			}
			if _, err := json.Marshal(d.Content); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range r.Problems {
			if p.Line < 0 || p.Line > lines || p.Message == "" {
				t.Fatalf("%d lines: %v", lines, p)
			}
		}
		likeKubernetes(t, r, file)
	})
}

// likeKubernetes compares a file of one plain document with what kubectl reads.
func likeKubernetes(t *testing.T, r Result, file []byte) {
	texts := split(file)
	if len(texts) != 1 || len(r.Documents) != 1 || len(r.Problems) > 0 || r.Documents[0].origin.json ||
		bytes.Contains(file, []byte("!")) { // `! yes`: see scalar.go
		return
	}
	if want, err := asKubernetes(string(texts[0].raw)); err == nil && r.Documents[0].items == nil && !equal(want, any(r.Documents[0].Content)) {
		t.Errorf("%q\nis %s, Kubernetes has %s", file, jsonText(r.Documents[0].Content), jsonText(want))
	}
}

// FuzzEdit applies an operation to a document of arbitrary bytes: what comes out reads as RFC 6902 demands, every byte
// outside the document is kept, and no operation that changes nothing changes a byte.
func FuzzEdit(f *testing.F) {
	for i, file := range seeds(f) {
		for n, value := range []string{`"x"`, `{"a": ["b", {"c": null}]}`, "[]", "1.5", `"two\nlines"`} {
			f.Add([]byte(file), i, n, n%3, value)
		}
	}
	f.Fuzz(editAgrees)
}

func editAgrees(t *testing.T, file []byte, document, place, kind int, value string) {
	defer inTime(t)()
	documents := documentsOf(file)
	if len(documents) == 0 {
		return
	}
	d := documents[abs(document)%len(documents)]
	op := Op{Op: []string{"add", "remove", "replace"}[abs(kind)%3]}
	paths := pathsOf(d.Content)
	op.Path = paths[abs(place)%len(paths)]
	if op.Op == "add" && abs(place)/len(paths)%2 == 0 {
		op.Path += "/new"
	}
	if json.Unmarshal([]byte(value), &op.Value) != nil {
		op.Value = value
	}
	content, _, err := contentOf(object(d.origin.tree(), d.items))
	if err != nil {
		return
	}
	want, wantErr := expect(content, nil, []Op{op})
	edited, err := Edit(file, d.Change(op))
	if (err == nil) != (wantErr == nil) && mustEdit(d, op) {
		t.Fatalf("Edit: %v, json-patch: %v: %v", err, wantErr, op)
	}
	if err != nil {
		return
	}
	after := documentsOf(edited)
	if !keptOutside(file, edited, d) {
		t.Fatalf("bytes outside the document changed:\n%q\n%q", file, edited)
	}
	if equal(content, want) != bytes.Equal(file, edited) {
		t.Fatalf("changed without reason, or not at all: %v\n%s\n---\n%s", op, file, edited)
	}
	// The object may have lost its kind, or got another: then it is no Document any more.
	if len(after) == len(documents) {
		got, _, err := contentOf(object(after[d.Index].origin.tree(), after[d.Index].items))
		if err != nil || !equal(got, want) {
			t.Fatalf("%v: got %s, want %s (%v)\n%s\n---\n%s", op, jsonText(got), jsonText(want), err, file, edited)
		}
	}
}

// inTime fails a test that takes much longer than files of that size may.
func inTime(t *testing.T) func() {
	began := time.Now()
	return func() {
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
}

func abs(i int) int {
	if i < 0 {
		return -(i + 1)
	}
	return i
}

func pathsOf(content map[string]any) []string {
	var paths []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		paths = append(paths, path)
		switch v := v.(type) {
		case map[string]any:
			for _, name := range sortedKeys(v) {
				walk(path+"/"+escape(name), v[name])
			}
		case []any:
			for i, item := range v {
				walk(fmt.Sprintf("%s/%d", path, i), item)
			}
		}
	}
	walk("", content)
	return paths
}

// mustEdit reports whether Edit has no right to refuse what json-patch does, or the other way round.
func mustEdit(d *Document, op Op) bool {
	switch {
	case op.Path == "", strings.HasSuffix(op.Path, "/"), strings.Contains(op.Path, "//"): // json-patch takes the empty key for the parent
		return false
	case bytes.ContainsAny(d.origin.raw, "&*!?%\t") || bytes.Contains(d.origin.raw, []byte("<<")):
		return false
	}
	_, repeated, _ := contentOf(d.origin.tree())
	return len(repeated) == 0
}

func keptOutside(before, after []byte, d *Document) bool {
	end := len(before) - d.origin.offset - len(d.origin.raw)
	return len(after) >= d.origin.offset+end &&
		bytes.Equal(before[:d.origin.offset], after[:d.origin.offset]) &&
		bytes.Equal(before[len(before)-end:], after[len(after)-end:])
}
