package checks

import (
	"strings"

	"github.com/waywarden/waywarden/policies"
)

// pointerTo makes a JSON pointer of a field as findings name it, as in "spec.targetRefs[1]", and what
// stands below it; "" for a field that is a key in brackets.
func pointerTo(field string, below ...string) string {
	var elements []string
	for _, part := range strings.Split(field, ".") {
		name, index, ok := strings.Cut(part, "[")
		elements = append(elements, name)
		for ok {
			var i string
			i, index, _ = strings.Cut(index, "]")
			if i == "" || strings.Trim(i, "0123456789") != "" {
				return ""
			}
			elements = append(elements, i)
			_, index, ok = strings.Cut(index, "[")
		}
	}
	return policies.Pointer(append(elements, below...)...)
}
