package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// syntaxError says where a text stops being YAML or JSON.
type syntaxError struct {
	line   int // 1-based, in the text
	column int // 1-based; 0 when not known
	reason string
	// final: the text is in the language, and cannot be read for another reason. No other language is to be tried.
	final bool
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

// parseYAML parses a text of one document. The node is nil when the document is empty.
func parseYAML(raw []byte) (*yaml.Node, error) {
	document, err := parseDocument(raw)
	if err != nil || document == nil {
		return nil, err
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, nil
	}
	return root, nil
}

// parseDocument is parseYAML with the document node, which carries the comments before and after everything.
func parseDocument(raw []byte) (*yaml.Node, error) {
	document, err := readDocument(bytes.NewReader(raw))
	if err == nil {
		return document, nil
	}
	return nil, locate(raw, err)
}

func readDocument(r io.Reader) (document *yaml.Node, err error) {
	// The parser panics on what it holds to be impossible. A file must not be able to end the program.
	defer func() {
		if p := recover(); p != nil {
			document, err = nil, fmt.Errorf("yaml: %v", p)
		}
	}()
	decoder := yaml.NewDecoder(r)
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	case first.Kind != yaml.DocumentNode || len(first.Content) != 1:
		return nil, nil
	}
	// The parser stops after one document and says nothing of what follows. Nothing may be lost in silence.
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err == nil {
			err = fmt.Errorf("yaml: line %d: a second document begins without ---", second.Line)
		}
		return nil, err
	}
	return &first, nil
}

var yamlErrorLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// locate finds the line that a parser's error is about. The parser names the line where the enclosing collection
// begins, the line before it, or none at all, depending on the error.
func locate(raw []byte, err error) *syntaxError {
	found := yamlErrorLine.FindStringSubmatch(err.Error())
	reason := strings.TrimPrefix(err.Error(), found[0])
	line, _ := strconv.Atoi(found[1])
	switch {
	case line == 0, strings.HasSuffix(reason, "expected key"), strings.HasSuffix(reason, "'-' indicator"):
		return &syntaxError{line: lastLineRead(raw), reason: reason}
	case strings.HasPrefix(reason, "did not find expected ',' or"), strings.HasSuffix(reason, "expected node content"):
		line++ // counted from zero, unlike all others
	}
	line = min(line, len(newLineIndex(raw).starts))
	return &syntaxError{line: line, reason: reason}
}

// lastLineRead is the first line that the parser cannot do with. It parses once more, handing out one line at a time:
// the parser looks ahead by a line at most, so the fault is in the last line it asked for or just before it.
func lastLineRead(raw []byte) int {
	lines := newLineIndex(raw)
	r := &lineReader{lines: lines}
	_, _ = readDocument(r)
	line := max(r.read, 1)
	for range 2 {
		if line == 1 {
			break
		}
		if _, err := readDocument(bytes.NewReader(raw[:lines.starts[line-1]])); err == nil {
			break
		}
		line--
	}
	return line
}

// lineReader returns at most one line for each Read and counts them.
type lineReader struct {
	lines *lineIndex
	at    int
	read  int // lines begun
}

func (r *lineReader) Read(p []byte) (int, error) {
	if r.at == len(r.lines.text) {
		return 0, io.EOF
	}
	if r.read < len(r.lines.starts) && r.at == r.lines.starts[r.read] {
		r.read++
	}
	end := len(r.lines.text)
	if r.read < len(r.lines.starts) {
		end = r.lines.starts[r.read]
	}
	n := copy(p, r.lines.text[r.at:end])
	r.at += n
	return n, nil
}
