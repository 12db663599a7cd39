package manifest

import (
	"bytes"
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"
)

// jsonWriter writes values as JSON in the spacing of the text around them. Entries keep their order, which encoding/json
// would sort.
type jsonWriter struct {
	strings.Builder
	unit  string // indentation; empty: everything on one line
	tight bool   // no spaces after commas and colons
}

func (w *jsonWriter) value(l *live, margin string) {
	l.expand()
	switch {
	case l.kind == yaml.MappingNode:
		w.collection('{', '}', len(l.members), margin, func(i int, margin string) {
			w.scalar(l.members[i].name)
			w.WriteByte(':')
			if !w.tight {
				w.WriteByte(' ')
			}
			w.value(l.members[i].value, margin)
		})
	case l.kind == yaml.SequenceNode:
		w.collection('[', ']', len(l.items), margin, func(i int, margin string) { w.value(l.items[i], margin) })
	default:
		w.scalar(l.plain())
	}
}

func (w *jsonWriter) collection(open, closing byte, n int, margin string, each func(i int, margin string)) {
	w.WriteByte(open)
	inner := margin + w.unit
	for i := range n {
		if i > 0 {
			w.WriteByte(',')
		}
		switch {
		case w.unit != "":
			w.WriteString("\n" + inner)
		case i > 0 && !w.tight:
			w.WriteByte(' ')
		}
		each(i, inner)
	}
	if w.unit != "" && n > 0 {
		w.WriteString("\n" + margin)
	}
	w.WriteByte(closing)
}

func (w *jsonWriter) scalar(v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // which would write < as \u003c
	if err := e.Encode(v); err != nil {
		w.WriteString("null")
		return
	}
	w.WriteString(strings.TrimSuffix(b.String(), "\n"))
}
