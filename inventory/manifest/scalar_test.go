package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	sigsyaml "sigs.k8s.io/yaml"
)

// asKubernetes is what kubectl makes of a text: YAML to JSON, JSON to Go with whole numbers as int64.
func asKubernetes(text string) (any, error) {
	raw, err := sigsyaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	return unmarshal(raw)
}

func asHere(text string) (any, error) {
	root, err := parseYAML([]byte(text))
	if err != nil || root == nil {
		return nil, err
	}
	content, _, err := contentOf(root)
	return content, err
}

// trickyScalars are read differently by different versions of YAML, or of its libraries.
var trickyScalars = []string{
	"y", "Y", "yes", "Yes", "YES", "yEs", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "oFF",
	"true", "True", "TRUE", "tRUE", "false", "False", "FALSE", "~", "null", "Null", "NULL", "nULL", "", `""`, "''",
	"0", "-0", "+0", "00", "1", "+1", "-1", "017", "0o17", "0O17", "-017", "-0o17", "+0o17", "018", "08", "09", "0x1F", "0X1f", "-0x1f", "0b101", "-0b101", "+0b1", "0b",
	"1_000", "1__0", "_1", "1_", "0_7", "0x_1", "1_0.5", "1.0", "1.5", "-1.5", "1.", ".5", "-.5", "+.5", ".", "..", "...5", "1e3", "1E3", "1e+3", "1e-3", "1.5e3", ".5e1", "1e", "e1",
	"1e20", "1e21", "1e400", "-1e400", "9007199254740993", "9007199254740993.0", "4611686018427387905.0", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"18446744073709551615", "18446744073709551616", "123456789012345678901234567890", "0.1", "-0.0", "0.0", "1e0",
	"2001-01-01", "2001-1-1", "2001-12-14t21:59:43.10-05:00", "2001-12-15T02:59:43.1Z", "2001-12-14 21:59:43.10", "2001-12-14 21:59:43.10 -5", "2001-99-99", "20010101",
	"190:20:30", "1:30", "12:30:45", "10.0.0.1", "10.0.0.0/8", "1.2.3", "1,000", "500m", "1Gi", "0xZZ", "<<", `"<<"`, "=",
	`"yes"`, "'no'", `"8080"`, "'017'", `"~"`, `"2001-01-01"`, "'1e3'", "!!str yes", "!!str 8080", "!!str", "!!int 5", `!!int "5"`, "!!int 0o17", "!!int five", "!!int 1.5", "!!int 2001-01-01",
	"!!float 5", "!!float 1e3", "!!float five", `!!float "1.5"`, "!!bool yes", `!!bool "on"`, "!!bool maybe", "!!null", "!!null ''", "!!null x", `!!null "~"`,
	"!!timestamp 2001-01-01", `!!timestamp "2001-01-01"`, "!!timestamp soon", "!!binary aGVsbG8=", "!!binary /w==", "!!binary gIGC", "!!binary '???'", "!!binary",
	"!custom 5", "!custom yes", `! "5"`, "!<tag:yaml.org,2002:int> 5", "!<tag:yaml.org,2002:str> 5", "!local {a: 1}", "!!map {a: 1}", "!!set {a, b}", "!!omap [a: 1]", "!!seq [1]",
	".inf", "-.inf", "+.inf", ".Inf", ".nan", ".NaN", "-.nan", "inf", "nan", ".e5", "-", "--", "+", "-x", "0.", "0.e1", "1e1_0",
	"&a 5", "|\n  text\n", ">\n  folded\n  text\n", "|-\n  yes\n", "|\n  8080\n", "plain\n  over lines", "[yes, 1, ~, 1e3]", "{yes: no}", "{1: 2, 1.5: 3, 1e3: 4, true: 5, 017: 6, 0.1: 7}", "{2001-01-01: 1}",
	"{~: 1}", "{[a]: 1}", "{{a: b}: 1}", "{18446744073709551615: 1}", "{.inf: 1, -.inf: 2, .nan: 3}", "[a, [b, [c]]]", "{a: }", "{a}", "[]", "{}", "ünï", "😀", `"\ud83d"`, `"\u00fc\x41\n"`,
}

func TestScalarsAreThoseOfKubernetes(t *testing.T) {
	for _, s := range trickyScalars {
		check(t, "v: "+s+"\n")
		check(t, "- "+s+"\n")
	}
}

func TestCollectionsAreThoseOfKubernetes(t *testing.T) {
	for _, text := range []string{
		"base: &b {a: 1, b: 2}\nuse: *b\n",
		"base: &b {a: 1, b: 2}\nuse: {<<: *b}\n",
		"base: &b {a: 1, b: 2}\nuse: {<<: *b, a: 3}\n",
		"base: &b {a: 1, b: 2}\nuse: {a: 3, <<: *b}\n",
		"one: &b {a: 1, b: 2}\ntwo: &c {a: 5, c: 6}\nuse: {<<: [*b, *c], d: 7}\n",
		"one: &b {a: 1, b: 2}\ntwo: &c {<<: *b, c: 6}\nuse: {<<: *c, d: 7}\n",
		"use: {<<: {a: 1}, b: 2}\n",
		"use: {<<: [{a: 1}, {a: 2, b: 2}]}\n",
		"use: {<<: 5}\n",
		"use: {<<: [5]}\n",
		"use: {<<: ~}\n",
		"use: {'<<': 5}\n",
		"use: {!!merge <<: {a: 1}}\n",
		"use: {!!str <<: {a: 1}}\n",
		"k: &k name\nuse: {*k : 1}\n",
		"k: &k [a]\nuse: {*k : 1}\n",
		"a: &a 1\nb: *a\nc: &a 2\nd: *a\n",
		"a: *unknown\n",
		"? a\n: 1\n? b\n",
		"a:\n- 1\n- b: 2\n  c: 3\n-\n- - 4\n",
		"a: |+\n  text\n\n\nb: >-\n  folded\n  text\n\n  more\n",
		"%YAML 1.1\n---\na: 1\n",
		"--- {a: 1}\n",
		"--- !!map\na: 1\n",
		"a: 'it''s'\nb: \"x\\\n  y\"\n",
		"a: b: c\n",
		"a: [1\n",
		"a\n",
		"- 1\n",
		"",
	} {
		check(t, text)
	}
}

func check(t *testing.T, text string) {
	t.Helper()
	want, wantErr := asKubernetes(text)
	got, err := asHere(text)
	if (err != nil) != (wantErr != nil) {
		t.Errorf("%q: error %v, Kubernetes has %v", text, err, wantErr)
		return
	}
	if diff := cmp.Diff(want, got); err == nil && diff != "" {
		t.Errorf("%q (-Kubernetes +here):\n%s", text, diff)
	}
}
