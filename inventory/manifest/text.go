package manifest

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// decoded is what became of one text.
type decoded struct {
	documents []*Document
	problems  []Problem
	template  int  // the line in the file where the text shows to be a Helm template; 0 when it is none
	other     int  // the line of a mapping that does not claim to be an object; 0 when there is none
	list      bool // there was a List, perhaps an empty one
	tooMany   bool // aliases of all texts of the file expand too far
}

// decodeText decodes one text of a file. aliased counts what aliases added to the whole file.
func decodeText(file string, t text, aliased *atomic.Int64) decoded {
	out := decoded{}
	if start := jsonStart(t.raw); start >= 0 {
		values, err := decodeJSON(t.raw, start)
		if err == nil {
			for _, v := range values {
				out.json(file, t, v)
			}
			return out
		}
		// Flow style begins with { as well, and so does JSON with a comment at its end.
		var fault *syntaxError
		_, yamlErr := parseYAML(t.raw)
		if errors.As(err, &fault) && fault.final || yamlErr != nil && looksLikeJSON(t.raw[start:]) {
			for _, v := range values {
				out.json(file, t, v)
			}
			out.syntax(file, t, "JSON", err)
			return out
		}
	}
	out.yaml(file, t, aliased)
	return out
}

// looksLikeJSON reports whether the first key is quoted, so that messages can speak of what the author had in mind.
func looksLikeJSON(raw []byte) bool {
	for _, c := range raw[1:] {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return c == '"'
	}
	return false
}

func (out *decoded) syntax(file string, t text, language string, err error) {
	if line := templateLine(t.raw); line > 0 {
		out.template = t.line + line - 1
		return
	}
	var at *syntaxError
	errors.As(err, &at)
	out.problems = append(out.problems, Problem{File: file, Line: t.line + at.line - 1, Column: at.column,
		Message: fmt.Sprintf("not evaluated: this is not %s (%s). Correct the document that begins on line %d.",
			language, at.reason, t.line)})
}

func (out *decoded) json(file string, t text, v jsonValue) {
	src := &source{
		raw: t.raw[v.start:v.end], offset: t.offset + v.start,
		line: t.line + v.at.line - 1, column: v.at.column - 1, json: true,
	}
	if repeatsKeys(src.raw, v.content) {
		d := decoder{}
		_, _ = d.root(src.tree())
		out.repeated(file, src, src.tree(), d.repeated)
	}
	out.objects(file, src, src.tree, v.content)
}

func (out *decoded) yaml(file string, t text, aliased *atomic.Int64) {
	if aliased.Load() > maxAliasedInFile {
		out.tooMany = true
		return
	}
	root, err := parseYAML(t.raw)
	if err != nil {
		out.syntax(file, t, "YAML", err)
		return
	}
	if root == nil {
		return
	}
	src := &source{raw: t.raw, offset: t.offset, line: t.line}
	d := decoder{inFile: aliased}
	content, err := d.root(root)
	if isTemplate(t.raw, root, content) {
		out.template = t.line + templateLine(t.raw) - 1
		return
	}
	if errors.Is(err, errTooManyAliases) {
		out.tooMany = true
		return
	}
	var fault *nodeError
	if errors.As(err, &fault) {
		line, column := src.place(fault.node)
		out.problems = append(out.problems, Problem{File: file, Line: line, Column: column, Field: fieldOf(root, fault.node),
			Message: fmt.Sprintf("not evaluated: %s. %s.", fault.reason, fault.remedy)})
		return
	}
	out.repeated(file, src, root, d.repeated)
	out.objects(file, src, func() *yaml.Node { return root }, content)
}

// maxRepeated bounds the repeated keys that are reported of one document.
const maxRepeated = 10

func (out *decoded) repeated(file string, src *source, root *yaml.Node, keys []*yaml.Node) {
	for i, k := range keys {
		line, column := src.place(k)
		problem := Problem{File: file, Line: line, Column: column}
		if i == maxRepeated {
			problem.Message = fmt.Sprintf("only the last value counts: %d more keys occur more than once in their mapping. Keep one of each.",
				len(keys)-maxRepeated)
			out.problems = append(out.problems, problem)
			return
		}
		problem.Field = fieldOf(root, k)
		problem.Message = fmt.Sprintf("only the last value counts: the key %q occurs more than once in this mapping. Keep one.", k.Value)
		out.problems = append(out.problems, problem)
	}
}

// objects adds the documents of a decoded text.
func (out *decoded) objects(file string, src *source, root func() *yaml.Node, content any) {
	_, out.list = listItems(content)
	expand(content, root, func(content any, n *yaml.Node, items []int) {
		if n == nil && !src.json {
			n = root()
		}
		line, column := src.line, src.column+1
		if n != nil {
			line, column = src.place(n)
		}
		m, ok := content.(map[string]any)
		if !ok {
			out.problems = append(out.problems, Problem{File: file, Line: line, Column: column,
				Message: fmt.Sprintf("not evaluated: a Kubernetes object is a mapping, this is %s. Correct or remove it.", article(content))})
			return
		}
		if isKustomization(m) || isKustomizationFile(filepath.Base(file)) {
			out.problems = append(out.problems, kustomizationProblem(file, line))
			return
		}
		if message := notAnObject(m); message != "" {
			if message == neither {
				out.other = line
				return
			}
			out.problems = append(out.problems, Problem{File: file, Line: line, Column: column, Message: message})
			return
		}
		out.documents = append(out.documents, &Document{File: file, Line: line, Content: m, origin: src, items: items})
	})
}

const neither = "not evaluated: a Kubernetes object has an apiVersion and a kind, this has neither. Add them, or name another file."

// notAnObject is what keeps a mapping from being a Kubernetes object; empty when it is one.
func notAnObject(m map[string]any) string {
	version, hasVersion := m["apiVersion"]
	kind, hasKind := m["kind"]
	v, versionIsText := version.(string)
	k, kindIsText := kind.(string)
	switch {
	case !hasVersion && !hasKind:
		return neither
	case !hasKind || kindIsText && k == "":
		return fmt.Sprintf("not evaluated: this has an apiVersion (%v) and no kind. Add the kind.", version)
	case !hasVersion || versionIsText && v == "":
		return fmt.Sprintf("not evaluated: this has a kind (%v) and no apiVersion. Add the apiVersion.", kind)
	case !versionIsText || !kindIsText:
		return fmt.Sprintf("not evaluated: apiVersion and kind must be text, here they are %v and %v. Quote them.", version, kind)
	}
	return ""
}

func article(v any) string {
	switch v.(type) {
	case []any:
		return "a sequence"
	case string:
		return "text"
	case nil:
		return "nothing"
	default:
		return "a single value"
	}
}
