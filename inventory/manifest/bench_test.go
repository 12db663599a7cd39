package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// objects is how many a large mesh has.
const objects = 8134

func policies() []string {
	texts := make([]string, objects)
	for i := range texts {
		texts[i] = fmt.Sprintf(`apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: policy-%d
  namespace: ns-%d
  labels:
    app.kubernetes.io/name: cart
    app.kubernetes.io/part-of: shop
  annotations:
    example.com/owner: team-a@example.com
spec:
  targetRefs:
  - group: ""
    kind: Service
    name: cart-%d
  action: ALLOW
  rules:
  - from:
    - source:
        principals:
        - cluster.local/ns/shop/sa/frontend
        namespaces: ["shop", "web"]
    to:
    - operation:
        methods: ["GET", "POST"]
        paths:
        - /api/*
        - /healthz
        ports:
        - "8080"
`, i, i%50, i)
	}
	return texts
}

func listOf(texts []string) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: List\nitems:\n")
	for _, text := range texts {
		b.WriteString("- " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n")
	}
	return []byte(b.String())
}

func benchmarkLoad(b *testing.B, file []byte) {
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := Load(Options{Stdin: bytes.NewReader(file)}, "-")
		if err != nil || len(r.Documents) != objects || len(r.Problems) > 0 {
			b.Fatal(len(r.Documents), r.Problems, err)
		}
	}
}

func BenchmarkLoadDocuments(b *testing.B) {
	benchmarkLoad(b, []byte(strings.Join(policies(), "---\n")))
}

func BenchmarkLoadList(b *testing.B) { benchmarkLoad(b, listOf(policies())) }

func BenchmarkLoadJSON(b *testing.B) {
	r, err := Load(Options{Stdin: bytes.NewReader(listOf(policies()))}, "-")
	if err != nil {
		b.Fatal(err)
	}
	var items []any
	for _, d := range r.Documents {
		items = append(items, d.Content)
	}
	file, err := json.MarshalIndent(map[string]any{"apiVersion": "v1", "kind": "List", "items": items}, "", "    ")
	if err != nil {
		b.Fatal(err)
	}
	benchmarkLoad(b, file)
}

// BenchmarkPosition asks for one position in each document for the first time, which parses the document again.
func BenchmarkPosition(b *testing.B) {
	file := []byte(strings.Join(policies(), "---\n"))
	for b.Loop() {
		b.StopTimer()
		r, err := Load(Options{Stdin: bytes.NewReader(file)}, "-")
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for _, d := range r.Documents {
			d.Position("spec.rules[0].to[0].operation.methods")
		}
	}
}

// BenchmarkEdit changes one document of many.
func BenchmarkEdit(b *testing.B) {
	file := []byte(strings.Join(policies(), "---\n"))
	for b.Loop() {
		if _, err := Edit(file, Change{Document: objects / 2, Ops: []Op{{Op: "add", Path: "/metadata/labels/a", Value: "b"}}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEditListEverywhere changes every item of a List.
func BenchmarkEditListEverywhere(b *testing.B) {
	file := listOf(policies())
	changes := make([]Change, objects)
	for i := range changes {
		changes[i] = Change{Document: i, Ops: []Op{{Op: "add", Path: "/metadata/labels/a", Value: "b"}}}
	}
	for b.Loop() {
		if _, err := Edit(file, changes...); err != nil {
			b.Fatal(err)
		}
	}
}
