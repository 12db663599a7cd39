package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// TextPosition is where a line of a text is written that a field holds, as in a file within the file: line and column count
// from 1. In a block scalar that keeps its lines it is the very place; in any other text, and for line 0, the field.
func (d *Document) TextPosition(field string, line, column int) (int, int) {
	if d.origin == nil || line < 1 {
		return d.Position(field)
	}
	n := object(d.origin.tree(), d.items)
	if n == nil {
		return d.Position(field)
	}
	_, value := find(n, field)
	if value = dealias(value); value == nil || value.Kind != yaml.ScalarNode || value.Style&yaml.LiteralStyle == 0 {
		return d.Position(field)
	}
	begins, _ := d.origin.place(value)
	return begins + line, d.margin(value) + max(column, 1)
}

// margin is by how much the lines of a block scalar are set in.
func (d *Document) margin(value *yaml.Node) int {
	written := strings.Split(string(d.origin.raw), "\n")
	for i, text := range strings.Split(value.Value, "\n") {
		at := value.Line + i // the line after the one of the sign
		if strings.TrimSpace(text) == "" || at >= len(written) {
			continue
		}
		return indent(written[at]) - indent(text)
	}
	return 0
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
