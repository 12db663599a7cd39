package compliance_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

func empty() *mesh.Snapshot { return mesh.New(mesh.Options{}) }

// frame is a framework with one control that one check is evidence for.
const frame = `
id: acme
title: Acme's rules
controls:
- {id: A-1, title: A DENY denies, checks: [effect/l7-deny-no-op]}
- {id: A-2, title: Calls are encrypted, like: {nist-800-53-r5: ["SC-8(1)"]}}
- {id: A-3, title: Somebody keeps an eye on it}
`

const shop = `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: NAME, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {METHODS: [GET]}}]}]}
---
`

const exemption = `apiVersion: waywarden.dev/v1alpha1
kind: Exemption
metadata: {name: cut-over, namespace: shop}
spec:
  checks: [effect/l7-deny-no-op]
  subjects: [{kind: AuthorizationPolicy}]
  reason: partner cut-over
  ticket: SEC-1
  expiresAt: "2027-01-31T00:00:00Z"
`

// stateOf is the state of control A-1 for some manifests.
func stateOf(t *testing.T, text string, change func(*inventory.Inventory)) compliance.Control {
	t.Helper()
	file := filepath.Join(t.TempDir(), "in.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Files(inventory.FileOptions{}, file)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(inv)
	}
	own, err := compliance.ReadFrame([]byte(frame), policies.Checks())
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Report(inv, audit.ReportOptions{Frames: []compliance.Frame{own}, Source: "files", Options: audit.Options{Rules: audit.Rules{Now: december}}})
	return r.Frameworks[0].Controls[0]
}

// TestSatisfiedTakesADemand: what only says whether that which is written takes effect has nothing against a mesh in which
// nothing is written. A control of the like is not satisfied by it, unless that is what the control is about.
func TestSatisfiedTakesADemand(t *testing.T) {
	plain := strings.NewReplacer("NAME", "good", "METHODS", "ports", "GET", `"80"`).Replace(shop)
	file := filepath.Join(t.TempDir(), "in.yaml")
	if err := os.WriteFile(file, []byte(plain), 0o644); err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Files(inventory.FileOptions{}, file)
	if err != nil {
		t.Fatal(err)
	}
	demand := &policies.Check{ID: "acme/has-a-deny", Title: "There is no DENY", Severity: policies.High, Kinds: []mesh.Kind{mesh.Namespace}, Demands: true,
		Controls: policies.Controls{"nist-800-53-r5": {"AC-3"}}, Run: func(*policies.Pass) {}}
	elsewhere := *demand
	elsewhere.Run = func(p *policies.Pass) { p.Skip("it holds elsewhere") }
	both := *demand
	both.Run = func(p *policies.Pass) {
		p.Skip("its status does not matter")
		p.Report(policies.Finding{Message: "There is no DENY."})
	}
	own, err := compliance.ReadFrame([]byte(`
id: acme
title: Acme's rules
controls:
- {id: A-1, title: Policies do what they say, checks: ["effect/*"]}
- {id: A-2, title: Access is enforced, like: {nist-800-53-r5: [AC-3]}}
`), policies.Checks())
	if err != nil {
		t.Fatal(err)
	}
	nist, _ := compliance.Find("nist-800-53-r5")
	for _, tc := range []struct {
		name   string
		checks []*policies.Check
		want   map[string]compliance.State
	}{
		{"the built-in checks", policies.Checks(), map[string]compliance.State{"AC-3": compliance.Partial, "A-1": compliance.Satisfied, "A-2": compliance.Partial}},
		{"and one that applies to nothing", append(policies.Checks(), &elsewhere), map[string]compliance.State{"AC-3": compliance.Partial, "A-1": compliance.Satisfied, "A-2": compliance.Partial}},
		{"and one that skips a part and finds something", append(policies.Checks(), &both), map[string]compliance.State{"AC-3": compliance.NotSatisfied, "A-1": compliance.Satisfied, "A-2": compliance.NotSatisfied}},
		{"and one that demands", append(policies.Checks(), demand), map[string]compliance.State{"AC-3": compliance.Satisfied, "A-1": compliance.Satisfied, "A-2": compliance.Satisfied}},
	} {
		r := audit.Report(inv, audit.ReportOptions{Frames: []compliance.Frame{nist, own}, Source: "files",
			Options: audit.Options{Known: tc.checks, Checks: tc.checks, Rules: audit.Rules{Now: december}}})
		got := map[string]compliance.State{}
		for _, f := range r.Frameworks {
			for _, c := range f.Controls {
				if _, asked := tc.want[c.ID]; asked {
					got[c.ID] = c.State
				}
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestStateOfOneControl(t *testing.T) {
	bad := strings.NewReplacer("NAME", "bad", "METHODS", "methods").Replace(shop)
	good := strings.NewReplacer("NAME", "good", "METHODS", "ports", "GET", `"80"`).Replace(shop)
	for _, tc := range []struct {
		name, text string
		change     func(*inventory.Inventory)
		want       compliance.State
		objects    compliance.ObjectCounts
	}{
		{"nothing to look at", shop[:strings.Index(shop, "---")], nil, compliance.NotAssessed, compliance.ObjectCounts{}},
		{"nothing found", good, nil, compliance.Satisfied, compliance.ObjectCounts{Assessed: 1, Passed: 1}},
		{"one of two", good + bad, nil, compliance.NotSatisfied, compliance.ObjectCounts{Assessed: 2, Failed: 1, Passed: 1}},
		{"exempt", bad + exemption, nil, compliance.Exempt, compliance.ObjectCounts{Assessed: 1, Exempt: 1}},
		{"cannot be judged", strings.Replace(good, "---", "# no Namespace\n---", 1)[strings.Index(good, "---"):], nil, compliance.Partial, compliance.ObjectCounts{Assessed: 1, Unknown: 1}},
		{"a kind was not read", good, func(inv *inventory.Inventory) {
			inv.Unread = append(inv.Unread, inventory.Unread{Kind: "Service", Resource: "services", Why: "it may not be listed"})
		}, compliance.Partial, compliance.ObjectCounts{Assessed: 1, Passed: 1}},
		{"a document was not read", good + "kind: {", nil, compliance.Partial, compliance.ObjectCounts{Assessed: 1, Passed: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := stateOf(t, tc.text, tc.change)
			if got.State != tc.want {
				t.Errorf("it is %s, want %s: %s", got.State, tc.want, got.Because)
			}
			if diff := cmp.Diff(tc.objects, got.Objects); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNotRead: what could not be read is told where it makes a difference: of a control that nothing was looked at for, and of
// findings that are gone.
func TestNotRead(t *testing.T) {
	unread := func(inv *inventory.Inventory) {
		inv.Unread = append(inv.Unread, inventory.Unread{Kind: "AuthorizationPolicy", Resource: "authorizationpolicies.security.istio.io", Why: "it may not be listed"})
	}
	c := stateOf(t, shop[:strings.Index(shop, "---")], unread)
	if want := "Its one check had nothing to look at, and AuthorizationPolicy could not be read."; c.State != compliance.NotAssessed || c.Because != want {
		t.Errorf("it is %s: %s", c.State, c.Because)
	}
	from, to := made(t, december, examples...), made(t, december, examples...)
	for _, blind := range []bool{false, true} {
		if blind {
			to.Findings, to.Unread = nil, []report.Unread{{Kind: "AuthorizationPolicy"}}
		}
		d, err := compliance.Compare(from, to)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := compliance.DiffText(&text, d); err != nil {
			t.Fatal(err)
		}
		if d.Incomplete != blind || strings.Contains(text.String(), "only because of that") != blind || (len(d.Gone) > 0) != blind {
			t.Errorf("blind %v: incomplete %v, %d gone:\n%s", blind, d.Incomplete, len(d.Gone), text.String())
		}
	}
}

// TestReadFrame: a mistake in a framework is told, with where it is, and all of them at once.
func TestReadFrame(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"an unknown control", strings.Replace(frame, "SC-8(1)", "SC-8(99)", 1), `controls[1] (A-2): nist-800-53-r5 has no control "SC-8(99)"`},
		{"an unknown framework", strings.Replace(frame, "nist-800-53-r5", "nist", 1), `controls[1] (A-2): there is no framework "nist"`},
		{"an unknown check", strings.Replace(frame, "l7-deny-no-op", "l8", 1), `controls[0] (A-1): no check is called "effect/l8"`},
		{"an unknown field", strings.Replace(frame, "checks:", "check:", 1), "check"},
		{"a shipped ID", strings.Replace(frame, "id: acme", "id: soc2", 1), `id "soc2" is that of a framework that comes with the program`},
		{"the same twice", strings.Replace(frame, "A-2", "A-1", 1), "controls[1] (A-1): the id is there twice"},
		{"nothing", "{}", "a framework has an id, a title and controls"},
	} {
		_, err := compliance.ReadFrame([]byte(tc.text), policies.Checks())
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want it to say %q", tc.name, err, tc.want)
		}
	}
}

// TestHostileNames: a name cannot make a spreadsheet compute, a page run a script or a terminal move its cursor.
func TestHostileNames(t *testing.T) {
	own, err := compliance.ReadFrame([]byte("id: x\ntitle: \"<script>alert(1)</script>\\e[31m\"\ncontrols: [{id: \"=cmd()\", checks: [\"effect/*\"]}]\n"), policies.Checks())
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Report(&inventory.Inventory{}, audit.ReportOptions{Frames: []compliance.Frame{own}, Source: "files"})
	for format, bad := range map[string][]string{"html": {"<script", "\x1b"}, "csv": {",=cmd", "\x1b"}, "text": {"\x1b"}, "junit": {"<script", "\x1b"}} {
		for _, b := range bad {
			if text := written(t, format, r); strings.Contains(text, b) {
				t.Errorf("%s contains %q", format, b)
			}
		}
	}
}

// TestLarge: a mesh with many findings makes a page that a browser can show, which says what it leaves out, and takes no
// longer than it should: what is quadratic would take minutes. As OSCAL it is valid, no larger than what is in it, and names
// for every control that fails what fails.
func TestLarge(t *testing.T) {
	const policies = 4000
	var text strings.Builder
	text.WriteString(shop[:strings.Index(shop, "---")])
	for i := range policies {
		text.WriteString("---\n" + strings.NewReplacer("NAME", fmt.Sprintf("bad-%d", i), "METHODS", "methods").Replace(shop[strings.Index(shop, "---")+4:len(shop)-4]))
	}
	file := filepath.Join(t.TempDir(), "in.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	r := made(t, december, file)
	if len(r.Findings) < policies {
		t.Fatalf("only %d findings", len(r.Findings))
	}
	html := written(t, "html", r)
	if n := len(html); n > 8<<20 {
		t.Errorf("the page has %d bytes", n)
	}
	if want := fmt.Sprintf("%d more findings, none of them worse, are not on this page", len(r.Findings)-1000); !strings.Contains(html, want) {
		t.Errorf("the page does not say %q", want)
	}
	if want := `and 990 more on this page, of <a href="#check-effect_l7-deny-no-op">effect/l7-deny-no-op</a></div>`; !strings.Contains(html, want) {
		t.Errorf("the page does not say %q", want)
	}
	oscal := written(t, "oscal", r)
	each := len(oscal) / (len(r.Findings) + len(r.Objects))
	t.Logf("%d findings at %d objects for %d controls: %d bytes as OSCAL, %d for each finding and object", len(r.Findings), len(r.Objects), assessed(r), len(oscal), each)
	if each > 2<<10 {
		t.Errorf("as OSCAL each finding and object takes %d bytes", each)
	}
	if err := validate(t, oscalSchema(t), oscal); err != nil {
		t.Error(err)
	}
	if want := fmt.Sprintf("Of %d observations of what was found the 100 of the worst are named here", policies); !strings.Contains(oscal, want) {
		t.Errorf("it does not say %q", want)
	}
}

// TestOSCALReaches: from a control every object that fails it can be reached, through the observations of its checks, however
// many there are, and from what was found its check.
func TestOSCALReaches(t *testing.T) {
	var text strings.Builder
	for i := range 150 {
		text.WriteString(strings.NewReplacer("NAME", fmt.Sprintf("bad-%d", i), "METHODS", "methods").Replace(shop))
	}
	file := filepath.Join(t.TempDir(), "in.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	r := made(t, december, file)
	type related struct {
		UUID string `json:"observation-uuid"`
	}
	var doc struct {
		Results struct {
			Results []struct {
				Observations []struct {
					UUID     string
					Types    []string
					Links    []struct{ Href string }
					Subjects []struct {
						UUID string `json:"subject-uuid"`
					}
				}
				Findings []struct {
					Title   string
					Related []related `json:"related-observations"`
				}
			}
		} `json:"assessment-results"`
	}
	if err := json.Unmarshal([]byte(written(t, "oscal", r)), &doc); err != nil {
		t.Fatal(err)
	}
	result := doc.Results.Results[0]
	subjects := map[string][]string{}
	checks := map[string]bool{}
	for _, o := range result.Observations {
		for _, s := range o.Subjects {
			subjects[o.UUID] = append(subjects[o.UUID], s.UUID)
		}
		checks[o.UUID] = o.Types[0] == "control-objective"
	}
	for _, o := range result.Observations {
		if !checks[o.UUID] && (len(o.Links) != 1 || !checks[strings.TrimPrefix(o.Links[0].Href, "#")]) {
			t.Fatalf("what was found leads to no check: %v", o)
		}
	}
	i := slices.IndexFunc(r.Frameworks[0].Controls, func(c compliance.Control) bool { return c.ID == "AC-3" })
	want := r.Frameworks[0].Controls[i].Objects.Failed
	if want != 150 {
		t.Fatalf("%d objects fail AC-3", want)
	}
	for _, f := range result.Findings {
		if f.Title != "AC-3 not satisfied" {
			continue
		}
		reached, once := map[string]bool{}, map[related]bool{}
		for _, x := range f.Related {
			if once[x] {
				t.Errorf("%s is named twice", x.UUID)
			}
			once[x] = true
			if checks[x.UUID] {
				for _, s := range subjects[x.UUID] {
					reached[s] = true
				}
			}
		}
		if len(reached) != want || len(f.Related) > 300 {
			t.Errorf("of %d objects that fail AC-3 %d are reached; %d observations are named", want, len(reached), len(f.Related))
		}
		return
	}
	t.Error("nothing is said of AC-3")
}

func assessed(r *compliance.Report) (n int) {
	for _, f := range r.Frameworks {
		n += f.Totals.Assessed()
	}
	return n
}

// TestSince: a report says since when things are found, and never that they were found later than it was made.
func TestSince(t *testing.T) {
	made := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	before, after := made.Add(-time.Hour), made.Add(time.Hour)
	r := &compliance.Report{GeneratedAt: made, Findings: []compliance.Finding{{Fingerprint: "known"}, {Fingerprint: "new"}, {Fingerprint: "of a clock that is ahead"}}}
	r.Since(func(fingerprint string) (time.Time, bool) {
		at, ok := map[string]time.Time{"known": before, "of a clock that is ahead": after}[fingerprint]
		return at, ok
	})
	if f := r.Findings; f[0].FirstSeen == nil || !f[0].FirstSeen.Equal(before) || f[1].FirstSeen != nil || f[2].FirstSeen != nil {
		t.Errorf("%v, %v, %v", f[0].FirstSeen, f[1].FirstSeen, f[2].FirstSeen)
	}
}
