package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/waywarden/waywarden/policies"
)

// FuzzEscape puts arbitrary names into every format that a reader acts on line by line, and holds
// that each finding stays one command, one paragraph, one element.
func FuzzEscape(f *testing.F) {
	f.Add(hostile, hostile)
	f.Add("a.yaml", "%25\x00\u2028::set-output name=x::y")
	f.Add("\xff\xfe", "\u202e\u0085\x9b31m")
	f.Fuzz(func(t *testing.T, file, name string) {
		r := &ScanResult{
			Findings: []Finding{{Finding: policies.Finding{Check: "effect/x", Severity: policies.Critical, Action: "Warn", Object: ap(name, name), Field: name, Message: name, Remedy: name},
				Location: &Location{File: file, Line: 1, Column: 1}}},
			Errors: []Error{{Message: name, Field: name, Location: &Location{File: file}}},
		}
		r.Finish()
		var github, text, junit bytes.Buffer
		for _, err := range []error{GitHub(&github, r, policies.High), Text(&text, r, Style{}), JUnit(&junit, r, policies.High)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		lines := strings.Split(strings.TrimSuffix(github.String(), "\n"), "\n")
		if len(lines) != 2 {
			t.Errorf("%d lines for 2 annotations: %q", len(lines), github.String())
		}
		for _, l := range lines {
			if !strings.HasPrefix(l, "::error file=") || strings.ContainsAny(l, "\r\x1b") {
				t.Errorf("not a clean command: %q", l)
			}
			if properties, _, _ := strings.Cut(strings.TrimPrefix(l, "::error "), "::"); strings.Count(properties, "title=") < 1 {
				t.Errorf("the file name ends the properties: %q", l)
			}
		}
		for _, c := range text.String() {
			if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
				t.Errorf("%U reaches the terminal: %q", c, text.String())
			}
		}
		want := 7
		if name == "" {
			want-- // a remedy that says nothing has no line
		}
		if got := strings.Count(text.String(), "\n"); got != want {
			t.Errorf("%d lines of text, want %d: %q", got, want, text.String())
		}
		dec := xml.NewDecoder(&junit)
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("not XML: %v", err)
			}
		}
	})
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain name":   "plain name",
		"Größe 日本":     "Größe 日本",
		"a\tb\nc\rd":   `a\tb\nc\rd`,
		"\x1b[31mred":  `\x1b[31mred`,
		"\u202egnp":    `\u202egnp`,
		"\xff":         `\xff`,
		"\uFFFD":       "\uFFFD",
		"\u2028":       `\u2028`,
		"\U000e0041 x": `\U000e0041 x`,
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}
