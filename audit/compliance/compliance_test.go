package compliance_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/rules/controls"
)

// december is when the reports of these tests are of.
var december = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)

// made is the report of some files, for all frameworks that come with the program.
func made(t testing.TB, now time.Time, paths ...string) *compliance.Report {
	t.Helper()
	inv, err := inventory.Files(inventory.FileOptions{}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	opts := audit.ReportOptions{Version: "v1", Source: "files", Options: audit.Options{Rules: audit.Rules{Now: now}}}
	for _, id := range compliance.Shipped() {
		frame, ok := compliance.Find(id)
		if !ok {
			t.Fatalf("framework %s is listed and not found", id)
		}
		opts.Frames = append(opts.Frames, frame)
	}
	return audit.Report(inv, opts)
}

var examples = []string{"../../examples/bank", "../../examples/guardrails"}

var formats = map[string]func(io.Writer, *compliance.Report) error{
	"text": compliance.Text, "html": compliance.HTML, "csv": compliance.CSV, "oscal": compliance.OSCAL, "junit": compliance.JUnit,
	"json":  func(w io.Writer, r *compliance.Report) error { return json.NewEncoder(w).Encode(r) },
	"sarif": func(w io.Writer, r *compliance.Report) error { return report.SARIF(w, r.Scan(), r.Tool.Version) },
}

func written(t testing.TB, format string, r *compliance.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := formats[format](&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestControlsAreKnown: what a check says that it is evidence for is in the catalogue, so that no report says less than is
// known.
func TestControlsAreKnown(t *testing.T) {
	for _, c := range policies.Checks() {
		if len(c.Controls) == 0 {
			t.Errorf("%s is evidence for no control", c.ID)
		}
		for framework, ids := range c.Controls {
			f := controls.Find(framework)
			if f == nil {
				t.Errorf("%s: there is no framework %q", c.ID, framework)
				continue
			}
			for _, id := range ids {
				if _, ok := f.Control(id); !ok {
					t.Errorf("%s: %s has no control %q", c.ID, framework, id)
				}
			}
		}
	}
}

// TestSameBytes: two runs over the same input differ in the moment and in nothing else.
func TestSameBytes(t *testing.T) {
	later := december.Add(26*time.Hour + 61*time.Second)
	for format := range formats {
		a, b := written(t, format, made(t, december, examples...)), written(t, format, made(t, december, examples...))
		if a != b {
			t.Errorf("%s: the same input gives other bytes", format)
		}
		c := written(t, format, made(t, later, examples...))
		for _, layout := range []string{time.RFC3339, "2 January 2006, 15:04 MST", "2 January 2006"} {
			c = strings.ReplaceAll(c, later.Format(layout), december.Format(layout))
		}
		if a != c {
			t.Errorf("%s: more differs than the moment", format)
		}
	}
}

// TestNotice: every format says what a report is not.
func TestNotice(t *testing.T) {
	r := made(t, december, examples...)
	for format := range formats {
		if !strings.Contains(written(t, format, r), "not proof of them") {
			t.Errorf("%s does not say that it is evidence and not proof", format)
		}
	}
}

func oscalSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("testdata/oscal-complete-1.1.3.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("oscal.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("oscal.json")
}

func validate(t testing.TB, schema *jsonschema.Schema, text string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(doc)
}

// TestOSCAL holds what is written to NIST's schema: of a mesh with everything, of one without findings, of none at all.
func TestOSCAL(t *testing.T) {
	schema := oscalSchema(t)
	for name, paths := range map[string][]string{
		"examples": examples, "corpus": {"../../test/corpus/testdata/mesh-a/mesh.yaml"}, "nothing wrong": {"../../examples/bank/mesh.yaml"},
	} {
		if err := validate(t, schema, written(t, "oscal", made(t, december, paths...))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := compliance.New(compliance.Input{Scan: audit.Scan(&inventory.Inventory{}, audit.Options{}), Snapshot: empty(), Now: december, Source: "files"})
	if err := validate(t, schema, written(t, "oscal", none)); err != nil {
		t.Errorf("no object, no framework: %v", err)
	}
	var b bytes.Buffer
	if err := compliance.ComponentDefinition(&b, policies.Checks(), "v1", december); err != nil {
		t.Fatal(err)
	}
	if err := validate(t, schema, b.String()); err != nil {
		t.Errorf("component definition: %v", err)
	}
	if validate(t, schema, strings.Replace(b.String(), `"implemented-requirements"`, `"requirements"`, 1)) == nil {
		t.Error("the schema takes what it should not, so that this test shows nothing")
	}
}

// TestOSCALReferences: whatever an assessment names by UUID is in it, once.
func TestOSCALReferences(t *testing.T) {
	var doc any
	text := written(t, "oscal", made(t, december, examples...))
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	defined, named := map[string]int{}, map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for key, x := range v {
				if s, ok := x.(string); ok {
					switch {
					case key == "uuid":
						defined[s]++
					case strings.HasSuffix(key, "-uuid"):
						named[s] = true
					case key == "href" && strings.HasPrefix(s, "#"):
						named[s[1:]] = true
					}
				}
				walk(x)
			}
		}
	}
	walk(doc)
	for id, n := range defined {
		if n > 1 {
			t.Errorf("%s is the UUID of %d things", id, n)
		}
	}
	for id := range named {
		if defined[id] == 0 {
			t.Errorf("%s is named and is not there", id)
		}
	}
	if len(named) < 10 {
		t.Errorf("only %d things are named: the input shows too little", len(named))
	}
}

// TestStates: each state is for what its comment says.
func TestStates(t *testing.T) {
	r := made(t, december, examples...)
	nist := r.Frameworks[0]
	at := func(id string) compliance.Control {
		i := slices.IndexFunc(nist.Controls, func(c compliance.Control) bool { return c.ID == id })
		return nist.Controls[i]
	}
	for id, want := range map[string]compliance.State{
		"AC-3":  compliance.NotSatisfied,
		"AC-6":  compliance.Partial,     // nothing is demanded
		"AC-1":  compliance.NotAssessed, // no check
		"AU-12": compliance.NotAssessed, // its checks had no object
	} {
		if got := at(id); got.State != want {
			t.Errorf("%s is %s, want %s: %s", id, got.State, want, got.Because)
		}
	}
	var sum int
	for _, s := range compliance.States {
		sum += nist.Totals.Of(s)
	}
	if sum != nist.Totals.Controls || sum != len(nist.Controls) {
		t.Errorf("%d controls in %d states of %d", len(nist.Controls), sum, nist.Totals.Controls)
	}
	for _, f := range r.Frameworks {
		for _, c := range f.Controls {
			if n := c.Objects; n.Assessed != n.Failed+n.Unknown+n.Exempt+n.Passed {
				t.Errorf("%s %s: the counts of objects do not add up: %+v", f.ID, c.ID, n)
			}
		}
	}
}
