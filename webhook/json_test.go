package webhook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// FuzzContent holds our decoding of objects to the API server's: the same values, of the same types, and an error where it
// has one.
func FuzzContent(f *testing.F) {
	for _, text := range []string{`{}`, `null`, `7`, `"x"`, `[]`, `{"a":1,"a":2}`, `{"a":[1,-1,0,1.5,1e3,1e400,9223372036854775807,9223372036854775808,-9223372036854775809]}`,
		`{"a":{"b":[true,false,null,"\u00fc\n\ud83d\ude00",[],{}]}}`, `{"a":1}x`, `{"a":1,}`, `{"a":01}`, `{"a":-0}`, "{\"a\":\"\xff\"}", ` {"A":1, "a":2} `, `{"a":"\ud800"}`,
		strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := contentOf(raw)
		var want map[string]any
		wrong := utiljson.Unmarshal(raw, &want)
		if (err == nil) != (wrong == nil) {
			if err != nil && strings.Contains(err.Error(), "UTF-8") || err != nil && strings.Contains(err.Error(), "surrogate") {
				return // which the body of a request is not
			}
			t.Fatalf("%q: %v, and the API server: %v", raw, err, wrong)
		}
		if diff := cmp.Diff(want, got); err == nil && diff != "" {
			t.Errorf("%q: %s", raw, diff)
		}
	})
}
