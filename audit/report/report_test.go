package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got; go test ./audit/report -update rewrites it):\n%s", name, diff)
	}
}

// hostile is a name that tries what each format's reader could take for an instruction.
const hostile = "a\n::error::b\r\x1b[31m]]><x>%0A\u202e,:"

var check = &policies.Check{
	ID: "effect/l7-deny-no-op", Title: "A DENY that denies nothing", Severity: policies.Critical,
	Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Doc: "ztunnel compares only who calls.", Remedy: "Bind the policy.", Cases: []int{4, 5},
}

func ap(ns, name string) mesh.Ref {
	return mesh.Ref{APIVersion: "security.istio.io/v1", Kind: "AuthorizationPolicy", Namespace: ns, Name: name}
}

// sample is a result with everything that a result can have.
func sample() *ScanResult {
	at := func(file string, line, column int) *Location {
		return &Location{File: file, Line: line, Column: column}
	}
	gateway := mesh.Ref{APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway", Namespace: "shop", Name: "waypoint"}
	broken := ap("shop", "broken")
	finding := func(object mesh.Ref, severity policies.Severity, at *Location) Finding {
		return Finding{Location: at, Finding: policies.Finding{Check: check.ID, Severity: severity, Verdict: policies.NotEnforced, Action: string(v1alpha1.Warn), Object: object,
			Field: "spec.rules[0].to[0].operation.methods", Message: "this DENY denies nothing: ztunnel cannot compare methods.", Remedy: "Bind the policy to its Services."}}
	}
	fixed := finding(ap("shop", "deny-get"), policies.Critical, at("policies.yaml", 14, 9))
	fixed.Related = []mesh.Ref{gateway}
	fixed.Fixes = []policies.Fix{{Message: "bind the policy to Service shop/cart", Patch: []policies.Op{{Op: "remove", Path: "/spec/selector"}}}}
	exempt := finding(ap("shop", "legacy"), policies.High, at("a b.yaml", 3, 1))
	exempt.Exempt, exempt.Action, exempt.Guardrail = true, string(v1alpha1.Deny), "production"
	exempt.Exemption = &Exemption{Namespace: "shop", Name: "legacy", Reason: "partner cut-over", Ticket: "SEC-123", ExpiresAt: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)}
	exempt.Note = "Exempt until 2027-01-31 by Exemption shop/legacy: partner cut-over (SEC-123)."
	denied := finding(ap("shop", "denied"), policies.Medium, at("policies.yaml", 60, 9))
	denied.Action, denied.Guardrail, denied.Note = string(v1alpha1.Deny), "production", "Guardrail production denies it."
	audited := finding(ap("shop", "audited"), policies.High, at("policies.yaml", 80, 9))
	audited.Action, audited.Guardrail, audited.Note = string(v1alpha1.Audit), "production", "Guardrail production only audits it."
	known := finding(ap("shop", "old"), policies.High, at("a b.yaml", 9, 1))
	known.Known = true
	bad := finding(ap("shop", hostile), policies.Info, at(hostile+".yaml", 1, 1))
	bad.Message, bad.Remedy, bad.Guardrail, bad.Note = hostile, hostile, hostile, hostile
	r := &ScanResult{
		Summary: Summary{Objects: 12, Policies: 5, Checks: 1}, Checks: []*policies.Check{check},
		Effects: []Effect{
			{Effect: policies.Effect{Object: ap("shop", "deny-get"), Target: policies.Target{Kind: "Selector", Namespace: "shop", Labels: map[string]string{"app": "cart"}},
				EnforcedBy: policies.Nobody, Verdict: policies.NotEnforced, Reason: policies.UnsupportedValue, WaitsFor: []policies.Wait{}, Message: "this DENY denies nothing."},
				Location: at("policies.yaml", 14, 9)},
			{Effect: policies.Effect{Object: ap("shop", "allow-web"), Target: policies.Target{Kind: "Service", Namespace: "shop", Name: "cart"}, EnforcedBy: policies.Waypoint,
				By: &gateway, Verdict: policies.Enforced, Reason: policies.Accepted, WaitsFor: []policies.Wait{}, Message: "waypoint shop/waypoint enforces it as written."}},
			{Effect: policies.Effect{Object: ap("web", "lone"), Target: policies.Target{Kind: "Namespace", Name: "web"}, EnforcedBy: policies.Nobody, Verdict: policies.Unknown,
				Reason: policies.NotInInput, WaitsFor: []policies.Wait{{Object: &mesh.Ref{APIVersion: "v1", Kind: "Namespace", Name: "web"}}}, Message: "it cannot be judged: Namespace web is not in the input."}},
		},
		Bindings: []Binding{{Object: mesh.Ref{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "cart"}, Bound: true, Reason: mesh.WaypointAccepted,
			Waypoint: &Named{"Gateway", "shop", "waypoint"}, AskedBy: "Namespace", Message: "calls pass waypoint shop/waypoint."}},
		Findings: []Finding{bad, finding(ap("shop", "live"), policies.Medium, nil), exempt, known, fixed, denied, audited},
		Errors: []Error{
			{Message: "not evaluated: this is no YAML.", Location: at("broken.yaml", 3, 0)},
			{Message: "check effect/x could not be asked of it.", Object: &broken, Check: "effect/x", Field: "spec", Location: at("policies.yaml", 40, 1)},
		},
		Unread:  []Unread{{Kind: "Gateway", Resource: "gateways.gateway.networking.k8s.io", Why: "it may not be listed.", Leaves: "Which waypoints there are is not known."}},
		Ignored: map[string]int{"v1/ConfigMap": 3, "acme.io/v1/" + hostile: 1},
		Judged: []Judged{{Object: ap("shop", "deny-get"), Location: at("policies.yaml", 1, 0), Checks: []string{check.ID}},
			{Object: ap("shop", "allow-web"), Location: at("policies.yaml", 20, 0), Checks: []string{check.ID}},
			{Object: ap("web", "lone"), Location: at("policies.yaml", 30, 0), Checks: []string{check.ID}}},
	}
	return r.Finish()
}

func TestFormats(t *testing.T) {
	r := sample()
	for name, write := range map[string]func(io.Writer) error{
		"text.golden": func(w io.Writer) error { return Text(w, r, Style{}) },
		"colour.golden": func(w io.Writer) error {
			return Text(w, r, Style{Color: true, Width: 80, Program: "kubectl waywarden"})
		},
		"json.golden":   func(w io.Writer) error { return JSON(w, r) },
		"yaml.golden":   func(w io.Writer) error { return YAML(w, r) },
		"sarif.golden":  func(w io.Writer) error { return SARIF(w, r, "1.0.0") },
		"junit.golden":  func(w io.Writer) error { return JUnit(w, r, policies.High) },
		"github.golden": func(w io.Writer) error { return GitHub(w, r, policies.High) },
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, write) })
	}
}

// TestEmpty holds that an empty result has arrays and no null in place of one.
func TestEmpty(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, (&ScanResult{}).Finish()); err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b.Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"effects", "bindings", "findings", "errors", "unread"} {
		if _, ok := fields[name].([]any); !ok {
			t.Errorf("%s is %v, not an array", name, fields[name])
		}
	}
	if _, ok := fields["ignored"].(map[string]any); !ok {
		t.Errorf("ignored is %v, not an object", fields["ignored"])
	}
}

func TestStatus(t *testing.T) {
	finding := func(severity policies.Severity, change func(*Finding)) *ScanResult {
		f := Finding{Finding: policies.Finding{Severity: severity, Action: string(v1alpha1.Warn)}}
		if change != nil {
			change(&f)
		}
		return &ScanResult{Findings: []Finding{f}}
	}
	for name, c := range map[string]struct {
		result *ScanResult
		failOn policies.Severity
		want   int
	}{
		"nothing":                   {&ScanResult{}, policies.High, StatusClean},
		"at the threshold":          {finding(policies.High, nil), policies.High, StatusFindings},
		"above":                     {finding(policies.Critical, nil), policies.High, StatusFindings},
		"below":                     {finding(policies.Medium, nil), policies.High, StatusClean},
		"info is never enough":      {finding(policies.Info, nil), policies.Low, StatusClean},
		"never":                     {finding(policies.Critical, nil), Never, StatusClean},
		"denied below":              {finding(policies.Low, func(f *Finding) { f.Action = string(v1alpha1.Deny) }), policies.High, StatusFindings},
		"audited":                   {finding(policies.Critical, func(f *Finding) { f.Action = string(v1alpha1.Audit) }), policies.Low, StatusClean},
		"denied, exempt":            {finding(policies.Critical, func(f *Finding) { f.Action, f.Exempt = string(v1alpha1.Deny), true }), policies.Low, StatusClean},
		"denied, never":             {finding(policies.Low, func(f *Finding) { f.Action = string(v1alpha1.Deny) }), Never, StatusClean},
		"only audited":              {finding(policies.Critical, func(f *Finding) { f.Action = "Audit" }), policies.High, StatusClean},
		"exempt":                    {finding(policies.Critical, func(f *Finding) { f.Exempt = true }), policies.High, StatusClean},
		"in the baseline":           {finding(policies.Critical, func(f *Finding) { f.Known = true }), policies.High, StatusClean},
		"errors beat findings":      {&ScanResult{Findings: finding(policies.Critical, nil).Findings, Errors: []Error{{}}}, policies.High, StatusErrors},
		"unread kinds are errors":   {&ScanResult{Unread: []Unread{{}}}, policies.High, StatusErrors},
		"errors, though never fail": {&ScanResult{Errors: []Error{{}}}, Never, StatusErrors},
	} {
		if got := c.result.Status(c.failOn); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
}

func TestBaseline(t *testing.T) {
	var saved bytes.Buffer
	before := sample()
	if err := JSON(&saved, before); err != nil {
		t.Fatal(err)
	}
	b, err := ReadBaseline(saved.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	after := sample()
	for i := range after.Findings {
		after.Findings[i].Location = &Location{File: "moved.yaml", Line: 99, Column: 9}
		after.Findings[i].Message = "reworded"
		after.Findings[i].Known = false
	}
	worse := after.Findings[0]
	worse.Verdict = policies.DeniesAll
	after.Findings = append(after.Findings, worse, after.Findings[1]) // a new one, and one more of its kind
	b.Mark(after)
	for i, f := range after.Findings {
		if want := i < len(before.Findings); f.Known != want {
			t.Errorf("finding %d of %s: known %v, want %v", i, f.Object, f.Known, want)
		}
	}
	for _, bad := range []string{"", "[]", "{}", `{"kind":"ScanResult","apiVersion":"v0"}`} {
		if _, err := ReadBaseline([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a baseline", bad)
		}
	}
}
