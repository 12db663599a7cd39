package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// jsonValue is one JSON object of a text.
type jsonValue struct {
	start, end int   // in the text
	at         place // of start, in the text
	content    map[string]any
}

// jsonStart is where a text begins with `{`, after an optional `---` line and comments; -1 when it begins otherwise.
// `{{` is the beginning of a template.
func jsonStart(raw []byte) int {
	at := 0
	if isMarker(raw, "---") {
		at = len("---")
	}
	for at < len(raw) {
		switch raw[at] {
		case ' ', '\t', '\r', '\n':
			at++
		case '#':
			at += lineLength(raw[at:], true)
		case '{':
			if bytes.HasPrefix(raw[at:], []byte("{{")) {
				return -1
			}
			return at
		default:
			return -1
		}
	}
	return -1
}

// decodeJSON decodes the JSON objects of a text, one after the other as `kubectl get -o json` or a shell's >> leave
// them. What was decoded before an error is returned with it.
func decodeJSON(raw []byte, start int) ([]jsonValue, error) {
	end := len(raw)
	if body, ok := cutDocumentEnd(raw[start:]); ok {
		end = start + len(body)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw[start:end]))
	decoder.UseNumber()
	var values []jsonValue
	where, counted := place{1, 1}, 0
	for at := start; ; {
		for at < end && strings.IndexByte(" \t\r\n", raw[at]) >= 0 {
			at++
		}
		var content map[string]any
		err := decoder.Decode(&content)
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return values, jsonError(raw, start, at, err)
		}
		if _, err := jsonNumbers(content, 0); err != nil {
			fault := jsonError(raw, start, at, err)
			fault.final = true
			return values, fault
		}
		after := start + int(decoder.InputOffset())
		if content != nil { // it is for `null`
			where = where.over(raw[counted:at])
			counted = at
			values = append(values, jsonValue{start: at, end: after, at: where, content: content})
		}
		at = after
	}
}

// cutDocumentEnd removes a `...` line from the end.
func cutDocumentEnd(raw []byte) ([]byte, bool) {
	trimmed := bytes.TrimRight(raw, " \t\r\n")
	body, ok := bytes.CutSuffix(trimmed, []byte("\n..."))
	return body, ok
}

// jsonError says where err is, given where the decoder started and where the value began that it failed on.
func jsonError(raw []byte, start, value int, err error) *syntaxError {
	at := value
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	reason := err.Error()
	switch {
	case errors.As(err, &syntax):
		at = start + int(syntax.Offset) - 1
	case errors.As(err, &kind):
		reason = fmt.Sprintf("a %s stands where an object must be", kind.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		reason = "the object that begins here does not end"
	}
	found := place{1, 1}.over(raw[:min(max(at, 0), len(raw))])
	return &syntaxError{line: found.line, column: found.column, reason: reason}
}

// jsonNumbers turns every json.Number below v into int64 where it is one, and float64 otherwise, as Kubernetes does.
func jsonNumbers(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d levels deep", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			switch member.(type) {
			case json.Number, map[string]any, []any:
				converted, err := jsonNumbers(member, depth+1)
				if err != nil {
					return nil, err
				}
				v[name] = converted
			}
		}
	case []any:
		for i, item := range v {
			converted, err := jsonNumbers(item, depth+1)
			if err != nil {
				return nil, err
			}
			v[i] = converted
		}
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return i, nil
		}
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return nil, fmt.Errorf("%s is too large for a number", v)
		}
		return f, nil
	}
	return v, nil
}

// repeatsKeys reports whether an object of raw, which is valid JSON, has a key twice: encoding/json keeps the last one
// and tells nobody. Every key has one colon outside strings, so counting finds out faster than looking.
func repeatsKeys(raw []byte, content map[string]any) bool {
	colons, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			inString = !inString
		case c == '\\':
			i++
		case c == ':' && !inString:
			colons++
		}
	}
	return colons != countKeys(content)
}

func countKeys(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, member := range v {
			n += countKeys(member)
		}
	case []any:
		for _, item := range v {
			n += countKeys(item)
		}
	}
	return n
}
