package plan

import (
	"encoding/json"
	"testing"
)

// FuzzCanonical: it writes what json.Marshal writes, or what is stored would look changed.
func FuzzCanonical(f *testing.F) {
	for _, text := range []string{
		`{"b": [1, 2.5, -0, true, null, "a\u2028<&>\"\\\n"], "a": {"": []}, "é": "ü\u0000"}`, `[]`, `{}`, `null`, `"x"`, `{"a": {"b": {"c": [[{}]]}}}`,
		`{"apiVersion": "v1", "metadata": {"name": "a", "labels": {"istio.io/use-waypoint": "none"}}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		for _, v := range []any{v, map[string]any{text: v, "n": int64(len(text)), "list": []any(nil), "map": map[string]any(nil)}} {
			want, err := json.Marshal(v)
			if err != nil {
				return
			}
			if got := appendCanonical(nil, v); string(got) != string(want) {
				t.Errorf("%s\nwant %s", got, want)
			}
		}
	})
}
