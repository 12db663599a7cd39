package manifest

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// collect is what a file comes to: its documents numbered, its problems in order, and whether it holds only something
// that is no manifest.
func (f *file) collect() (documents []*Document, problems []Problem, skipped bool) {
	template, other := 0, 0
	for _, d := range f.decoded {
		if d.tooMany || f.aliased.Load() > maxAliasedInFile {
			return nil, []Problem{{File: f.path, Message: fmt.Sprintf(
				"not evaluated: the aliases of its documents expand to more than %d values. Write fewer aliases.", maxAliasedInFile)}}, false
		}
		for _, doc := range d.documents {
			doc.Index = len(documents)
			documents = append(documents, doc)
		}
		// One line for a template, however many of its pieces do not parse.
		if d.template > 0 && template == 0 {
			template = d.template
			problems = append(problems, templateProblem(f.path, template))
		}
		if d.other > 0 && other == 0 {
			other = d.other
			if f.named {
				problems = append(problems, Problem{File: f.path, Line: other, Message: neither})
			}
		}
		problems = append(problems, d.problems...)
	}
	return documents, problems, other > 0 && !f.named
}

// fieldOf is the path of a node below root, as Position reads it.
func fieldOf(root, n *yaml.Node) string {
	field, _ := searchField(root, n, "")
	return field
}

func searchField(at, n *yaml.Node, field string) (string, bool) {
	if at == n {
		return field, true
	}
	for i, child := range at.Content {
		var name string
		switch {
		case at.Kind == yaml.SequenceNode:
			name = fmt.Sprintf("%s[%d]", field, i)
		case i%2 == 0:
			if child == n {
				return joinField(field, child.Value), true
			}
			continue
		default:
			name = joinField(field, at.Content[i-1].Value)
		}
		if found, ok := searchField(child, n, name); ok {
			return found, true
		}
	}
	return "", false
}

// joinField writes keys with dots or brackets in brackets, since otherwise they read as several.
func joinField(field, name string) string {
	for _, c := range name {
		switch c {
		case '.', '/', '[', ']':
			return field + "[" + name + "]"
		}
	}
	if field == "" {
		return name
	}
	return field + "." + name
}
