package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
)

// broken is a rule that cannot say anything about a policy without labels.
const broken = `# METADATA
# title: Broken
# custom:
#   severity: high
#   remediation: Correct it.
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
package acme.broken

deny contains {"msg": "m"} if 1 / count(object.get(input.object.metadata, "labels", {})) > 0
`

const brokenScenarios = `Acme: a policy has a label.
-- bad-labelled.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop, labels: {a: b}}
-- ok-labelled.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop, labels: {a: b, c: d}}
`

// TestRuleMetrics: a rule has an errors counter before its first error, which every failure counts up, and nothing is left of it when it
// is in force no more.
func TestRuleMetrics(t *testing.T) {
	pack, err := rules.Load(fstest.MapFS{"acme/broken.rego": {Data: []byte(broken)}, "acme/broken.txtar": {Data: []byte(brokenScenarios)}}, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o, err := mesh.Decode(map[string]any{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": map[string]any{"namespace": "shop", "name": "x"}, "spec": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	clock := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	var logged bytes.Buffer
	m := newRuleMetrics(registry, func() time.Time { return clock }, slog.New(slog.NewJSONHandler(&logged, nil)))
	asked := func() {
		clock = clock.Add(6 * time.Minute)
		view := policies.NewView(mesh.New(mesh.Options{}, o))
		view.Occasion.Meter = m.meter()
		policies.Evaluate(pack.Checks(), view, o)
	}
	both := append(policies.Checks(), pack.Checks()...)
	for _, step := range []struct {
		name string
		do   func()
		want map[string]float64
		logs int // how often it is said why
	}{
		{"in force", func() { m.inForce(both) }, map[string]float64{"waywarden_rule_errors_total acme/broken": 0}, 0},
		{"fails", asked, map[string]float64{"waywarden_rule_errors_total acme/broken": 1, "waywarden_rule_duration_seconds acme/broken": 1}, 1},
		{"fails again", asked, map[string]float64{"waywarden_rule_errors_total acme/broken": 2, "waywarden_rule_duration_seconds acme/broken": 2}, 1},
		{"still fails", asked, map[string]float64{"waywarden_rule_errors_total acme/broken": 3, "waywarden_rule_duration_seconds acme/broken": 3}, 2},
		{"still in force", func() { m.inForce(both) }, map[string]float64{"waywarden_rule_errors_total acme/broken": 3, "waywarden_rule_duration_seconds acme/broken": 3}, 2},
		{"gone", func() { m.inForce(policies.Checks()) }, map[string]float64{}, 2},
	} {
		step.do()
		if diff := cmp.Diff(step.want, counts(t, registry)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if n := strings.Count(logged.String(), "AuthorizationPolicy shop/x\",\"why\":\"acme/broken.rego:9: div: divide by zero. Correct the rule."); n != step.logs {
			t.Errorf("%s: it is said %d times why, want %d:\n%s", step.name, n, step.logs, &logged)
		}
	}
}

// TestPanicked: which check panics, and about what, is said at once and then now and then, however many objects it panics about; and the
// one does not keep another from being told of.
func TestPanicked(t *testing.T) {
	clock := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	var logged bytes.Buffer
	m := newRuleMetrics(prometheus.NewRegistry(), func() time.Time { return clock }, slog.New(slog.NewJSONHandler(&logged, nil)))
	object := mesh.Ref{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "cart"}
	for _, step := range []struct {
		after time.Duration
		check string
		want  string // "" where nothing is said
	}{
		{0, "acme/one", `"check":"acme/one","object":"Service shop/cart","why":"nil map"`},
		{time.Second, "acme/one", ""},
		{time.Second, "acme/two", `"check":"acme/two"`},
		{time.Second, "", `"check":"effects"`},
		{untold, "acme/one", `"check":"acme/one"`},
	} {
		clock = clock.Add(step.after)
		logged.Reset()
		m.panicked(audit.Panic{Check: step.check, Value: "nil map"}, object)
		if got := logged.String(); !strings.Contains(got, step.want) || step.want == "" && got != "" {
			t.Errorf("%s: logged %q, want %q", step.check, got, step.want)
		}
	}
}

// TestRuleMetricsAllocations: to count what OPA took costs a request no memory.
func TestRuleMetricsAllocations(t *testing.T) {
	m := newRuleMetrics(prometheus.NewRegistry(), time.Now, slog.New(slog.DiscardHandler)).meter()
	if n := testing.AllocsPerRun(100, func() { m.Took(policies.Together, time.Millisecond) }); n > 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// counts are counters and how often histograms were observed, by name and labels.
func counts(t *testing.T, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			out[key] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}
