package rules

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// FuzzLoad: whatever stands in a file of rules, it is loaded and answers, or refused with a place; nothing panics.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		head + "package acme.x\n\n" + typical,
		byHand,
		head + "package acme.x\n\ndeny contains v if {\n\tsome e in input.effects\n\tf(e)\n\tv := {\"msg\": e.reason}\n}\n\nf(x) if x.verdict == \"Enforced\"\n",
		"# METADATA\n# custom: {match: {kinds: [Namespace]}, params: {type: object, properties: {a: {$ref: \"#\"}}}}\npackage acme.x\n",
		"# METADATA\n# schemas:\n# - input: {type: string}\npackage acme.x\ndeny contains 1",
		"package acme.x\nimport data.acme.x as y\ndeny contains y.deny[_]",
	} {
		f.Add(seed)
	}
	o := objectsOf(f, denyPolicy)[0]
	s := mesh.New(mesh.Options{}, o)
	f.Fuzz(func(t *testing.T, rule string) {
		p, err := Load(fstest.MapFS{"acme/x.rego": {Data: []byte(rule)}, "acme/x.txtar": {Data: []byte(scenarios)}}, Options{})
		var refusals Refusals
		switch {
		case errors.As(err, &refusals):
			for _, r := range refusals {
				if r.File == "" || r.Message == "" || strings.Contains(r.Message, "\n") {
					t.Errorf("%+v", r)
				}
			}
		case err != nil:
			t.Error(err)
		default:
			p.budget /= 100
			policies.Evaluate(p.Checks(), policies.NewView(s), o)
		}
	})
}

// TestLargePack: a pack of 5 MB is refused before it is parsed; one that is allowed to be so large is loaded.
func TestLargePack(t *testing.T) {
	large := head + "package acme.x\n\ndeny contains {\"msg\": \"m\"} if input.object.spec.action == \"DENY\"\n" + strings.Repeat("# a comment that says nothing\n", 5<<20/30)
	files := fstest.MapFS{"acme/x.rego": {Data: []byte(large)}, "acme/x.txtar": {Data: []byte(scenarios)}}
	if _, err := Load(files, Options{}); err == nil || !strings.Contains(err.Error(), "are larger than 4194304 bytes") {
		t.Errorf("is not refused: %.200v", err)
	}
	p, err := Load(files, Options{MaxBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, found := asked(t, p, policies.Occasion{}, denyPolicy); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}
