package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// expect is what RFC 6902 makes of the object at the given place of a content, by an implementation that knows nothing
// of this one. Lists in the content are changed in place; the object itself is not.
func expect(content any, items []int, ops []Op) (any, error) {
	if len(items) > 0 {
		parent, _ := content.(map[string]any)
		list, _ := parent["items"].([]any)
		if items[0] >= len(list) {
			return nil, errors.New("the List has fewer items than before")
		}
		item, err := expect(list[items[0]], items[1:], ops)
		if err != nil {
			return nil, err
		}
		list[items[0]] = item
		return content, nil
	}
	before, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("write the object as JSON: %w", err)
	}
	after, err := patched(before, ops)
	if err != nil {
		return nil, err
	}
	return unmarshal(after)
}

func patched(before []byte, ops []Op) (after []byte, err error) {
	// json-patch panics on some operations that do not apply.
	defer func() {
		if p := recover(); p != nil {
			after, err = nil, fmt.Errorf("the operations do not apply: %v", p)
		}
	}()
	text, err := json.Marshal(ops)
	if err != nil {
		return nil, fmt.Errorf("write the operations as JSON: %w", err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return nil, fmt.Errorf("read the operations: %w", err)
	}
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	return patch.ApplyWithOptions(before, options)
}

// normal is a value of Go as it stands in Content.
func normal(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("the value cannot be written as JSON: %w", err)
	}
	return unmarshal(text)
}

func unmarshal(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return jsonNumbers(v, 0)
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// equal compares contents. 1 and 1.0 are the same number: JSON written by hand may have either.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range a {
			if w, ok := b[name]; !ok || !equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case int64:
		if f, ok := b.(float64); ok {
			return float64(a) == f
		}
	case float64:
		if i, ok := b.(int64); ok {
			return a == float64(i)
		}
	}
	return a == b
}
