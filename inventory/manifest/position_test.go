package manifest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// positions checks each field against "line:column".
func positions(t *testing.T, d *Document, want map[string]string) {
	t.Helper()
	for field, place := range want {
		line, column := d.Position(field)
		if got := fmt.Sprintf("%d:%d", line, column); got != place {
			t.Errorf("%q is at %s, want %s", field, got, place)
		}
	}
}

const twoDocuments = `# two documents
apiVersion: v1
kind: A
--- # the second
# about it
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: deny
  labels:
    istio.io: x
    istio.io/use-waypoint: w   # long
    app.kubernetes.io/name: cart
spec:
  rules:
  - to:
    - operation:
        methods: ["GET", POST]
  -
    from: [{source: {principals: ["*"]}}]
  - # nothing
  text: |
    a
    b
  after: ü
  é: {x: 1, y: [2]}
`

func TestPosition(t *testing.T) {
	d := fromStdin(t, twoDocuments).Documents[1]
	if d.Line != 6 || d.Index != 1 {
		t.Errorf("Line %d, Index %d", d.Line, d.Index)
	}
	positions(t, d, map[string]string{
		"":                                       "6:1",
		"kind":                                   "7:1",
		"metadata":                               "8:1",
		".metadata":                              "8:1",
		"metadata.labels":                        "10:3",
		"metadata.labels[istio.io/use-waypoint]": "12:5",
		`metadata.labels["istio.io/use-waypoint"]`:          "12:5",
		"metadata.labels['istio.io/use-waypoint']":          "12:5",
		"metadata.labels.istio.io/use-waypoint":             "12:5",
		"metadata.labels.istio.io":                          "11:5",
		"metadata.labels.app.kubernetes.io/name":            "13:5",
		"metadata.labels.app":                               "10:3",
		"metadata.labels[absent/label]":                     "10:3",
		"spec.rules":                                        "15:3",
		"spec.rules[0]":                                     "16:5",
		"spec.rules.0":                                      "16:5",
		"spec.rules[0].to[0].operation.methods":             "18:9",
		"spec.rules[0].to[0].operation.methods[1]":          "18:26",
		"spec.rules[0].to[0].operation.methods[7]":          "18:9",
		"spec.rules[0].to[0].operation.paths":               "17:7",
		"spec.rules[0].to[0].operation.methods.x.y":         "18:9",
		"spec.rules[1]":                                     "20:5",
		"spec.rules[1].from[0].source.principals[0]":        "20:35",
		"spec.rules[2]":                                     "21:4",
		"spec.rules[3].from":                                "15:3",
		"spec.rules[-1]":                                    "15:3",
		"spec.rules[":                                       "15:3",
		"spec.text":                                         "22:3",
		"spec.after":                                        "25:3",
		"spec.é.y":                                          "26:13",
		"spec.é.y[0]":                                       "26:17",
		"status.conditions[0]":                              "6:1",
		"metadata.namespace":                                "8:1",
		"metadata.labels[istio.io/use-waypoint].more[0].of": "12:5",
	})
	positions(t, &Document{Line: 7}, map[string]string{"spec": "7:1"})
}

func TestPositionWithAliases(t *testing.T) {
	const file = `apiVersion: v1
kind: A
base: &b
  x: 1
  y: {z: 2}
use: *b
merged:
  <<: *b
  w: 3
  yes: 1
`
	positions(t, fromStdin(t, file).Documents[0], map[string]string{
		"use": "6:1", "use.x": "4:3", "use.y.z": "5:7", "merged.w": "9:3", "merged.y.z": "5:7", "merged.x": "4:3", "merged.none": "7:1", "merged.yes": "10:3", "merged.true": "10:3",
	})
}

// YAML breaks lines where editors do not, and there are three kinds of line ends.
func TestPositionCountsAsEditorsDo(t *testing.T) {
	const file = "apiVersion: v1\nkind: A\na: 'x\u2028y'\nb: \"\u0085\" \nc: 1\n---\napiVersion: v1\nkind: B\n"
	for _, lineBreak := range []string{"\n", "\r\n", "\r"} {
		text := "\uFEFF" + strings.ReplaceAll(file, "\n", lineBreak)
		r := fromStdin(t, text)
		if len(r.Documents) != 2 {
			t.Fatalf("%q: %v", text, summary(r))
		}
		positions(t, r.Documents[0], map[string]string{"apiVersion": "1:1", "kind": "2:1", "a": "3:1", "b": "4:1", "c": "5:1"})
		positions(t, r.Documents[1], map[string]string{"apiVersion": "7:1", "kind": "8:1"})
	}
}

// What JSON allows and YAML does not must not lose positions.
func TestPositionInJSON(t *testing.T) {
	long := strings.Repeat("k", 2000)
	file := "{\n\t\"apiVersion\": \"v1\", \"kind\": \"A\",\n\t\"\\ud83d\\ude00\": {\"\x7f\": 1},\n\t\"" + long + "\"\n:\t[ 1,2,{\"a\": null}]\n}"
	r := fromStdin(t, file)
	contains(t, summary(r), "<stdin>:1[0] A/")
	positions(t, r.Documents[0], map[string]string{"kind": "2:22", "😀": "3:2", "😀.\x7f": "3:19", long: "4:2", long + "[1]": "5:7", long + "[2].a": "5:10", "": "1:1"})
}

func TestPositionIsSafeForConcurrentUse(t *testing.T) {
	d := fromStdin(t, named("a")).Documents[0]
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { positions(t, d, map[string]string{"metadata.name": "4:3"}) })
	}
	group.Wait()
}

func TestProblemFields(t *testing.T) {
	r := fromStdin(t, named("a")+"spec:\n  list:\n  - x\n  - a.b/c: {n: .inf}\n")
	contains(t, summary(r), "<stdin>:8:16: spec.list[1][a.b/c].n: not evaluated: +Inf cannot be stored")
}
