package manifest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// writer lays out a random object as a person might: block and flow, compact and indented sequences, quotes, block
// scalars, comments. Each comment names the element it is attached to.
type writer struct {
	*rand.Rand
	b       strings.Builder
	compact bool
	step    int
	flow    int // how often collections are in brackets, in percent
}

func (w *writer) chance(percent int) bool { return w.IntN(100) < percent }

func (w *writer) object(depth int) map[string]any {
	m := map[string]any{}
	for range w.IntN(4) + 1 {
		m[pick(w.Rand, "a", "b", "name", "istio.io/use-waypoint", "x-1", "yes", "8080", "with space", "tilde~key")] = w.any(depth - 1)
	}
	return m
}

func (w *writer) any(depth int) any {
	switch n := w.IntN(10); {
	case n < 3 && depth > 0:
		return w.object(depth)
	case n < 5 && depth > 0:
		s := make([]any, w.IntN(4))
		for i := range s {
			s[i] = w.any(depth - 1)
		}
		return s
	}
	return pick[any](w.Rand, "GET", "yes", "8080", "a b", "# no comment", "it's", `say "hi"`, "two\nlines\n", "two\nlines", "kept\n\n",
		"  indented\ntext", "ümläut: ☃", "a: b", "- x", "", "{}", "[a, b]", "null", int64(7), int64(-1), 1.5, true, nil, "😀", "a,b]}", "\ttab")
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (w *writer) comment(margin, owner string) {
	if w.chance(10) {
		w.b.WriteString("\n")
	}
	if w.chance(15) {
		fmt.Fprintf(&w.b, "%s# <%s>\n", margin, owner)
	}
}

// value writes what follows a key or a dash, to the end of the line and beyond. indent is that of the key or the dash.
func (w *writer) value(v any, indent int, owner string, item bool) {
	remark := ""
	if w.chance(15) {
		remark = " # <" + owner + ">"
	}
	if size(v) > 0 && w.chance(w.flow/2) {
		w.linesInFlow(v, strings.Repeat(" ", indent), owner, remark)
		return
	}
	if size(v) == 0 || w.chance(w.flow) {
		fmt.Fprintf(&w.b, " %s%s\n", w.inFlow(v), remark)
		return
	}
	switch v := v.(type) {
	case map[string]any:
		inner := indent + w.step
		if item && w.chance(80) {
			w.b.WriteString(strings.Repeat(" ", w.step-1))
			w.mapping(v, inner, owner, true)
			return
		}
		w.b.WriteString(remark + "\n")
		w.mapping(v, inner, owner, false)
	case []any:
		inner := indent + w.step
		if w.compact && !item {
			inner = indent
		}
		w.b.WriteString(remark + "\n")
		w.sequence(v, inner, owner)
	default:
		w.scalar(v, indent, remark)
	}
}

func (w *writer) scalar(v any, indent int, remark string) {
	if s, ok := v.(string); ok && strings.Contains(s, "\n") {
		n := scalarNode(s, nil)
		if w.chance(60) {
			n.Style = yaml.LiteralStyle
		}
		text, _ := style{step: 2}.encode(n)
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		w.b.WriteString(" " + lines[0] + remark + "\n" + indented(lines[1:], strings.Repeat(" ", indent)) + "\n")
		return
	}
	fmt.Fprintf(&w.b, " %s%s\n", w.inFlow(v), remark)
}

func size(v any) int {
	switch v := v.(type) {
	case map[string]any:
		return len(v)
	case []any:
		return len(v)
	}
	return -1
}

func (w *writer) mapping(m map[string]any, indent int, owner string, inline bool) {
	margin := strings.Repeat(" ", indent)
	for i, name := range sortedKeys(m) {
		at := owner + "/" + escape(name)
		if i > 0 || !inline {
			w.comment(margin, at)
			w.b.WriteString(margin)
		}
		w.b.WriteString(w.inFlow(name) + ":")
		w.value(m[name], indent, at, false)
	}
	w.after(margin, owner)
}

func (w *writer) sequence(s []any, indent int, owner string) {
	margin := strings.Repeat(" ", indent)
	for i, v := range s {
		at := fmt.Sprintf("%s/%d", owner, i)
		w.comment(margin, at)
		w.b.WriteString(margin + "-")
		w.value(v, indent, at, true)
	}
	if !w.compact {
		w.after(margin, owner)
	}
}

// after writes a comment below the last element: it is inside the collection.
func (w *writer) after(margin, owner string) {
	if w.chance(10) && margin != "" {
		fmt.Fprintf(&w.b, "%s# <%s>\n", margin, owner)
	}
}

func (w *writer) inFlow(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, name := range sortedKeys(v) {
			parts = append(parts, w.inFlow(name)+": "+w.inFlow(v[name]))
		}
		return w.brackets("{", parts, "}")
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, w.inFlow(item))
		}
		return w.brackets("[", parts, "]")
	case string:
		if w.chance(30) && !strings.ContainsAny(v, "\n\t") {
			return "'" + strings.ReplaceAll(v, "'", "''") + "'"
		}
	}
	r := rewriter{style: style{step: 2}}
	text, _ := r.flowValue(brought(v), "", nil)
	return text
}

// linesInFlow writes a collection in brackets with a line for each element.
func (w *writer) linesInFlow(v any, margin, owner, remark string) {
	var parts, owners []string
	open, closing := " [", "]"
	switch v := v.(type) {
	case map[string]any:
		open, closing = " {", "}"
		for _, name := range sortedKeys(v) {
			parts = append(parts, w.inFlow(name)+": "+w.inFlow(v[name]))
			owners = append(owners, owner+"/"+escape(name))
		}
	case []any:
		for i, item := range v {
			parts = append(parts, w.inFlow(item))
			owners = append(owners, fmt.Sprintf("%s/%d", owner, i))
		}
	}
	w.b.WriteString(open + "\n")
	for i, part := range parts {
		if i < len(parts)-1 || w.chance(30) {
			part += ","
		}
		if w.chance(20) {
			part += " # <" + owners[i] + ">"
		}
		w.b.WriteString(margin + "    " + part + "\n")
	}
	w.b.WriteString(margin + " " + closing + remark + "\n")
}

func (w *writer) brackets(open string, parts []string, closing string) string {
	space := pick(w.Rand, "", " ")
	if len(parts) == 0 {
		space = ""
	}
	return open + space + strings.Join(parts, ", ") + space + closing
}

func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// randomOp is an operation that applies to v.
func randomOp(w *writer, v any) Op {
	type place struct {
		path string
		v    any
	}
	var places []place
	var walk func(path string, v any)
	walk = func(path string, v any) {
		places = append(places, place{path, v})
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
	walk("", v)
	for {
		p := places[w.IntN(len(places))]
		switch at := p.v.(type) {
		case map[string]any:
			if w.chance(40) {
				return Op{Op: "add", Path: p.path + "/" + escape(pick(w.Rand, "new", "a", "other/key", "on")), Value: w.any(2)}
			}
		case []any:
			if w.chance(40) {
				return Op{Op: "add", Path: fmt.Sprintf("%s/%d", p.path, w.IntN(len(at)+1)), Value: w.any(2)}
			}
		}
		if p.path == "" || p.path == "/apiVersion" || p.path == "/kind" {
			continue
		}
		if w.chance(50) {
			return Op{Op: "remove", Path: p.path}
		}
		return Op{Op: "replace", Path: p.path, Value: w.any(2)}
	}
}

func randomFile(w *writer) (file, language string) {
	object := w.object(4)
	object["apiVersion"], object["kind"] = "v1", "Thing"
	switch w.IntN(6) {
	case 0:
		raw, _ := json.MarshalIndent(object, "", pick(w.Rand, "  ", "\t", "    "))
		return string(raw) + "\n", "json"
	case 1:
		raw, _ := json.Marshal(object)
		return string(raw), "json"
	}
	w.mapping(object, 0, "", false)
	file = w.b.String()
	switch w.IntN(8) {
	case 0:
		file = strings.ReplaceAll(file, "\n", "\r\n")
	case 1:
		// Without its last line break a block scalar at the end of a file says something else.
		if !strings.Contains(file, "|") {
			file = strings.TrimSuffix(file, "\n")
		}
	}
	return file, "yaml"
}

// TestRandomEdits holds Edit to its word over many layouts: the text is changed in place, never written anew; every
// comment whose element stays is kept, every comment of one that goes is gone.
func TestRandomEdits(t *testing.T) {
	for seed := range uint64(2_000) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &writer{Rand: r, compact: r.IntN(2) == 0, step: pick(r, 2, 2, 4), flow: pick(r, 0, 10, 40)}
		file, _ := randomFile(w)
		documents := documentsOf([]byte(file))
		if len(documents) != 1 {
			t.Fatalf("seed %d: %d documents in\n%s", seed, len(documents), file)
		}
		d := documents[0]
		op := randomOp(w, d.Content)
		describe := func() string {
			return fmt.Sprintf("seed %d: %s %s %s\n%s", seed, op.Op, op.Path, jsonText(op.Value), file)
		}

		tree := &live{origin: d.origin.tree(), kind: d.origin.tree().Kind}
		if err := tree.apply(op); err != nil {
			t.Fatalf("%v: %s", err, describe())
		}
		want, err := expect(d.Content, nil, []Op{op})
		if err != nil {
			t.Fatalf("%v: %s", err, describe())
		}
		if !equal(tree.plain(), want) {
			t.Fatalf("the tree holds %s, want %s\n%s", jsonText(tree.plain()), jsonText(want), describe())
		}
		got, ok := rewrite(d.origin, tree, lineBreakOf([]byte(file)), want)
		if !ok {
			t.Fatalf("not edited in place: %s", describe())
		}
		got = []byte(file[:d.origin.offset] + string(got) + file[d.origin.offset+len(d.origin.raw):])
		edited, err := Edit([]byte(file), d.Change(op))
		if err != nil || string(edited) != string(got) && !equal(d.Content, want) {
			t.Fatalf("Edit: %v: %s\n---\n%s\n---\n%s", err, describe(), got, edited)
		}
		checkComments(t, file, string(got), op, describe)
		if op.Op == "replace" || op.Op == "add" && equal(want, again(t, d.Content, op)) {
			twice, err := Edit(edited, Change{Ops: []Op{op}})
			if err != nil || string(twice) != string(edited) {
				t.Fatalf("not idempotent (%v): %s\n---\n%s\n---\n%s", err, describe(), edited, twice)
			}
		}
	}
}

// again applies op twice.
func again(t *testing.T, content any, op Op) any {
	twice, err := expect(content, nil, []Op{op, op})
	if err != nil {
		t.Fatal(err)
	}
	return twice
}

func checkComments(t *testing.T, before, after string, op Op, describe func() string) {
	t.Helper()
	for line := range strings.Lines(before) {
		_, rest, ok := strings.Cut(line, "# <")
		owner, _, closed := strings.Cut(rest, ">")
		if !ok || !closed {
			continue
		}
		text := "# <" + owner + ">"
		had, has := strings.Count(before, text), strings.Count(after, text)
		within := owner == op.Path || strings.HasPrefix(owner, op.Path+"/")
		switch {
		case !within && had != has:
			t.Fatalf("comment %s was lost: %s\n---\n%s", text, describe(), after)
		case within && op.Op == "remove" && has > 0:
			t.Fatalf("comment %s stayed: %s\n---\n%s", text, describe(), after)
		}
	}
}
