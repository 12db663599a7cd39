package rules

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

type heard struct{ lines []string }

func (h *heard) Print(_ print.Context, line string) error {
	h.lines = append(h.lines, line)
	return nil
}

// TestWatched: a coverage sees which bodies were looked at, and print is heard.
func TestWatched(t *testing.T) {
	rule := head + "package acme.x\n\ndeny contains {\"msg\": \"m\"} if {\n\tinput.object.spec.action == \"DENY\"\n\tprint(\"it is\", input.object.metadata.name)\n}\n\ndeny contains {\"msg\": \"n\"} if {\n\tinput.object.spec.action == \"ALLOW\"\n\tinput.object.metadata.name == \"x\"\n}\n"
	p, err := Load(fstest.MapFS{"acme/x.rego": {Data: []byte(rule)}, "acme/x.txtar": {Data: []byte(scenarios)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	coverage, h := cover.New(), &heard{}
	watched, err := p.Single(p.Rules[0], p.Rules[0].Parse(), Watch{Tracer: func(*mesh.Object) topdown.QueryTracer { return coverage }, Print: h})
	if err != nil {
		t.Fatal(err)
	}
	asked(t, watched, policies.Occasion{}, denyPolicy)
	if !slices.Equal(h.lines, []string{"it is x"}) {
		t.Errorf("heard %q", h.lines)
	}
	report := coverage.Report(p.Modules()).Files["acme/x.rego"]
	if !report.IsCovered(10) || report.IsCovered(16) {
		t.Errorf("covered: %v", report.Covered)
	}
	if _, found := asked(t, p, policies.Occasion{}, denyPolicy); len(found) != 1 || len(h.lines) != 1 {
		t.Error("somebody watches who was not asked to")
	}
}
