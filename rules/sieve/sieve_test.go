package sieve

import (
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

const object1 = `{"kind": "Service", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"ports": [{"name": "http", "port": 80}, {"name": "tls", "port": 443}], "half": 1.5, "none": null}}`

// TestMembers: what a sieve is certain of, and what it leaves to OPA. That what it says is what OPA says is shown where both are at hand,
// in package rules.
func TestMembers(t *testing.T) {
	for body, want := range map[string]string{
		`deny contains "m" if input.object.kind == "Service"`:                                                       `["m"]`,
		`deny contains "m" if input.object.kind == "Pod"`:                                                           `none`,
		`deny contains p.name if some p in input.object.spec.ports`:                                                 `["http", "tls"]`,
		`deny contains i if { some i, p in input.object.spec.ports; p.port > 100 }`:                                 `[1]`,
		`deny contains {"a": p.port} if { some p in input.object.spec.ports; not p.name == "tls" }`:                 `[{"a": 80}]`,
		`deny contains sprintf("%s %q %d", ["a", p.name, p.port]) if some p in input.object.spec.ports`:             `["a \"http\" 80", "a \"tls\" 443"]`,
		`deny contains count(input.object.spec.ports) if input.object`:                                              `[2]`,
		`deny contains "m" if "tls" in names` + "\n" + `names contains p.name if some p in input.object.spec.ports`: `["m"]`,
		`deny contains name(p) if some p in input.object.spec.ports` + "\n" + `name(p) := upper(p.name)`:            `["HTTP", "TLS"]`,
		`deny contains kind if input.object` + "\n" + `kind := "a" if input.object.never` + "\n" + `else := "b"`:    `["b"]`,
		`deny contains "m" if every p in input.object.spec.ports { p.port > 79 }`:                                   `["m"]`,
		`deny contains "m" if every p in input.object.spec.ports { p.port > 80 }`:                                   `none`,
		`deny contains "m" if input.params["x"].names == ["a"]`:                                                     `["m"]`,
		`deny contains input.object.metadata.labels[k] if input.params["x"].names[k]`:                               `none`,

		`deny contains [p.name | some p in input.object.spec.ports][1] if input.object`:   `["tls"]`,
		`deny contains min([p.name | some p in input.object.spec.ports]) if input.object`: `["http"]`,
		`deny contains max({p.port | some p in input.object.spec.ports}) if input.object`: `[443]`,
		`deny contains min(input.object.spec.ports) if input.object`:                      `unknown`,

		`deny contains k if { some k, v in {p.name: p.port | some p in input.object.spec.ports}; v > 100 }`: `["tls"]`,
		`deny contains {p.name: 1 | some p in input.object.spec.ports} if input.object`:                     `[{"http": 1, "tls": 1}]`,
		`deny contains "m" if {"a": p.name | some p in input.object.spec.ports}.a`:                          `unknown`,

		// What fails, or may: OPA says how.
		`deny contains "m" if startswith(input.object.spec.ports[_].port, "8")`:                                               `unknown`,
		`deny contains "m" if { some p in input.object.spec.ports; not startswith(p.port, "8") }`:                             `unknown`,
		`deny contains two if input.object` + "\n" + `two := 1 if input.object.kind` + "\n" + `two := 2 if input.object.spec`: `unknown`,
		// What stands before it does not hold, so that OPA does not come there either.
		`deny contains "m" if { input.object.never; startswith(input.object.spec.ports[_].port, "8") }`: `none`,

		// What is not known here.
		`deny contains "m" if regex.match("w", input.object.metadata.name)`:                         `unknown`,
		`deny contains "m" if { input.object.never; regex.match("w", input.object.metadata.name) }`: `none`,
		`deny contains "m" if input.user.username == "a"`:                                           `unknown`,
		`deny contains "m" if input.object.kind == "x" with input.object.kind as "x"`:               `unknown`,
		`deny contains "m" if input.object.spec.half == 1`:                                          `unknown`,
		`deny contains [v | some v in input.object.metadata][0] if input.object`:                    `unknown`,
		`deny contains sprintf("%v", [input.object.spec]) if input.object`:                          `unknown`,
		`deny contains "m" if { some x in numbers.range(1, 10); x > 10 }`:                           `unknown`,
		`deny contains "m" if { some a, b, c, d, e, f; p := input.object.spec.ports; q := array.concat(p, array.concat(p, array.concat(p, p))); q[a].name == q[b].name; q[c].name == q[d].name; q[e].name == q[f].name; q[a].name == "x" }`: `unknown`,
	} {
		t.Run(body, func(t *testing.T) {
			if got := said(t, body); got != want {
				t.Errorf("%s instead of %s", got, want)
			}
		})
	}
}

func said(t *testing.T, body string) string {
	t.Helper()
	c := ast.NewCompiler()
	module := ast.MustParseModule("package acme\n\n" + body)
	if c.Compile(map[string]*ast.Module{"x.rego": module}); c.Failed() {
		t.Fatal(c.Errors)
	}
	s := NewCompiler(c, func(string) (int, bool) { return 0, false }).Sieve(ast.MustParseRef("data.acme.deny"))
	var content map[string]any
	if err := json.Unmarshal([]byte(object1), &content); err != nil {
		t.Fatal(err)
	}
	var m Machine
	m.Start(Occasion{Params: Of(map[string]any{"names": []any{"a"}}), Input: func(part string) Value {
		if part == "object" {
			return Of(content)
		}
		return Value{}
	}})
	got, known := m.Members(s, 0)
	switch {
	case !known:
		return "unknown"
	case len(got) == 0:
		return "none"
	}
	return ast.ArrayTerm(got...).String()
}
