package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	type part struct {
		Raw  string
		Line int
	}
	for name, c := range map[string]struct {
		file string
		want []part
	}{
		"one":                 {"a: 1\n", []part{{"a: 1\n", 1}}},
		"two":                 {"a: 1\n---\nb: 2\n", []part{{"a: 1\n", 1}, {"---\nb: 2\n", 2}}},
		"leading marker":      {"---\na: 1\n---\nb: 2", []part{{"---\na: 1\n", 1}, {"---\nb: 2", 3}}},
		"remark on marker":    {"a: 1\n--- # next\nb: 2\n", []part{{"a: 1\n", 1}, {"--- # next\nb: 2\n", 2}}},
		"tag on marker":       {"a: 1\n--- !tag\nb: 2\n", []part{{"a: 1\n", 1}, {"--- !tag\nb: 2\n", 2}}},
		"content on marker":   {"a: 1\n--- {b: 2}\n", []part{{"a: 1\n", 1}, {"--- {b: 2}\n", 2}}},
		"marker with spaces":  {"a: 1\n---  \t\nb: 2\n", []part{{"a: 1\n", 1}, {"---  \t\nb: 2\n", 2}}},
		"no marker":           {"a: 1\n---b: 2\n", []part{{"a: 1\n---b: 2\n", 1}}},
		"indented":            {"a: |\n  x\n  ---\n  y\n", []part{{"a: |\n  x\n  ---\n  y\n", 1}}},
		"end":                 {"a: 1\n...\nb: 2\n", []part{{"a: 1\n...\n", 1}, {"b: 2\n", 3}}},
		"end and marker":      {"a: 1\n...\n---\nb: 2\n", []part{{"a: 1\n...\n", 1}, {"---\nb: 2\n", 3}}},
		"empty documents":     {"---\n---\n# only a comment\n---\n\n---\na: 1\n---\n", []part{{"---\na: 1\n", 6}}},
		"comment first":       {"# license\n\n---\na: 1\n", []part{{"---\na: 1\n", 3}}},
		"comment in document": {"# about a\na: 1\n", []part{{"# about a\na: 1\n", 1}}},
		"directive": {
			"%YAML 1.1\n# c\n---\na: 1\n...\n%YAML 1.1\n---\nb: 1\n",
			[]part{{"%YAML 1.1\n# c\n---\na: 1\n...\n", 1}, {"%YAML 1.1\n---\nb: 1\n", 6}},
		},
		"directive alone": {"%YAML 1.1\n", []part{{"%YAML 1.1\n", 1}}},
		"crlf":            {"a: 1\r\n---\r\nb: 2\r\n", []part{{"a: 1\r\n", 1}, {"---\r\nb: 2\r\n", 2}}},
		"cr":              {"a: 1\r---\rb: 2\r", []part{{"a: 1\r", 1}, {"---\rb: 2\r", 2}}},
		"unicode breaks": {
			"a: x\u2028---\u2028b: 2\n---\nc: 3\n",
			[]part{{"a: x\u2028", 1}, {"---\u2028b: 2\n", 1}, {"---\nc: 3\n", 2}},
		},
		"mark":               {"\uFEFFa: 1\n", []part{{"a: 1\n", 1}}},
		"mark before marker": {"\uFEFF---\na: 1\n", []part{{"---\na: 1\n", 1}}},
		"mark in the middle": {"a: 1\n\uFEFF---\nb: 2\n", []part{{"a: 1\n", 1}, {"---\nb: 2\n", 2}}},
		"nothing":            {"", nil},
		"blank":              {"\n \n\t\n# c\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []part
			for _, x := range split([]byte(c.file)) {
				got = append(got, part{string(x.raw), x.line})
				if string(c.file[x.offset:x.offset+len(x.raw)]) != string(x.raw) {
					t.Errorf("%q is not at offset %d", x.raw, x.offset)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
