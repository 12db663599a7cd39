package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

const homepage = "https://github.com/waywarden/waywarden"

// SARIF writes SARIF 2.1.0. Every check that was asked is a rule with its help; a finding's
// fingerprint survives moved lines; fixes are described, not spelled out as edits of text, because
// a patch is of the object and not of the file.
func SARIF(w io.Writer, r *ScanResult, version string) error {
	run := sarif.NewRunWithInformationURI("waywarden", homepage).WithColumnKind("unicodeCodePoints")
	run.Tool.Driver.WithVersion(version)
	index := map[string]int{}
	for i, c := range r.Checks {
		index[c.ID] = i
		run.Tool.Driver.AddRule(sarifRule(c, r.Frameworks))
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		result := sarifResult(f)
		if n, ok := index[f.Check]; ok {
			result.WithRuleIndex(n)
		}
		run.AddResult(result)
	}
	run.AddInvocation(sarifInvocation(r))
	if r.Notice != "" {
		bag := sarif.NewPropertyBag()
		bag.Add("notice", r.Notice)
		run.WithProperties(bag)
	}
	doc := sarif.NewReport()
	doc.AddRun(run)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

func sarifRule(c *policies.Check, frameworks []string) *sarif.ReportingDescriptor {
	help := c.Doc + "\n\nWhat to do: " + c.Remedy
	markdown := "# " + c.Title + "\n\n" + c.Doc + "\n\n**What to do:** " + c.Remedy
	bag := sarif.NewPropertyBag()
	bag.Add("security-severity", securitySeverity[c.Severity])
	tags := []string{"istio", "security", c.ID[:strings.Index(c.ID+"/", "/")]}
	for _, framework := range frameworks {
		for _, id := range c.Controls[framework] {
			tags = append(tags, framework+"/"+id)
		}
	}
	bag.WithTags(tags[:min(len(tags), maxTags)])
	return sarif.NewReportingDescriptor().WithID(c.ID).WithName(camel(c.ID)).
		WithShortDescription(sarif.NewMultiformatMessageString().WithText(c.Title)).
		WithFullDescription(sarif.NewMultiformatMessageString().WithText(c.Doc)).
		WithHelp(sarif.NewMultiformatMessageString().WithText(help).WithMarkdown(markdown)).
		WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(sarifLevel(c.Severity))).
		WithProperties(bag)
}

// maxTags is how many tags GitHub takes of a rule.
const maxTags = 20

// securitySeverity is what GitHub sorts by: CVSS-like, in its own bands.
var securitySeverity = map[policies.Severity]string{
	policies.Critical: "9.5", policies.High: "8.0", policies.Medium: "5.5", policies.Low: "3.0", policies.Info: "0.0",
}

func sarifLevel(s policies.Severity) string {
	switch s {
	case policies.Critical, policies.High:
		return "error"
	case policies.Medium:
		return "warning"
	}
	return "note"
}

// camel is "effect/l7-deny-no-op" as "EffectL7DenyNoOp", which is what SARIF wants of a name.
func camel(id string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(id, func(r rune) bool { return r == '/' || r == '-' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func sarifResult(f *Finding) *sarif.Result {
	level := sarifLevel(f.Severity)
	switch v1alpha1.Action(f.Action) {
	case v1alpha1.Deny:
		level = "error"
	case v1alpha1.Audit:
		level = "note"
	}
	result := sarif.NewRuleResult(f.Check).WithLevel(level).
		WithMessage(sarif.NewTextMessage(printable(sarifText(f)))).
		WithPartialFingerprints(map[string]string{"waywarden/v1": fingerprint(f)})
	result.AddLocation(sarifLocation(f.Location, f.Object.String()))
	if f.Known {
		result.WithBaselineState("unchanged")
	}
	if f.Exempt {
		result.AddSuppression(sarifSuppression(f))
	}
	bag := sarif.NewPropertyBag()
	bag.Add("field", f.Field).Add("severity", string(f.Severity)).Add("object", f.Object.String()).Add("action", f.Action)
	if f.Guardrail != "" {
		bag.Add("guardrail", f.Guardrail)
	}
	if f.Verdict != "" {
		bag.Add("verdict", string(f.Verdict))
	}
	return result.WithProperties(bag)
}

// sarifSuppression says by what a finding is exempt. It is external, because no comment in the file says so, and accepted,
// because an Exemption is a signature.
func sarifSuppression(f *Finding) *sarif.Suppression {
	s := sarif.NewSuppression().WithKind("external").WithStatus("accepted")
	if e := f.Exemption; e != nil {
		s.WithJustification(printable(f.Note))
		bag := sarif.NewPropertyBag()
		bag.Add("exemption", e.Namespace+"/"+e.Name).Add("expiresAt", e.ExpiresAt.Format(time.RFC3339))
		s.WithProperties(bag)
	}
	return s
}

func sarifText(f *Finding) string {
	text := withObject(f.Object.String(), f.Location, f.told())
	for _, fix := range f.Fixes {
		text += " Fix: " + fix.Message + "."
	}
	return text
}

// fingerprint is the identity of a finding over time.
func fingerprint(f *Finding) string { return Fingerprint(&f.Finding) }

// Fingerprint is the identity of a finding over time: 32 hexadecimal digits. It outlives moved lines, reworded messages and
// another version of the object's API.
func Fingerprint(f *policies.Finding) string {
	h := sha256.New()
	for _, part := range []string{f.Check, f.Object.Kind, f.Object.Namespace, f.Object.Name, f.Field, string(f.Verdict)} {
		h.Write([]byte(part + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func sarifLocation(at *Location, object string) *sarif.Location {
	l := sarif.NewLocation()
	l.AddLogicalLocation(sarif.NewLogicalLocation().WithFullyQualifiedName(printable(object)).WithKind("object"))
	if at == nil {
		return l
	}
	p := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewArtifactLocation().WithURI(fileURI(at.File)))
	if at.Line > 0 {
		p.WithRegion(sarif.NewRegion().WithStartLine(at.Line).WithStartColumn(max(at.Column, 1)))
	}
	return l.WithPhysicalLocation(p)
}

// fileURI is a relative reference for a relative path, so that viewers resolve it against the repository.
func fileURI(file string) string {
	u := url.URL{Path: filepath.ToSlash(filepath.Clean(file))}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}

func sarifInvocation(r *ScanResult) *sarif.Invocation {
	inv := sarif.NewInvocation().WithExecutionSuccessful(len(r.Errors)+len(r.Unread) == 0)
	notify := func(text string, at *sarif.Location) {
		n := sarif.NewNotification().WithLevel("error").WithMessage(sarif.NewTextMessage(printable(text)))
		if at != nil {
			n.AddLocation(at)
		}
		inv.AddToolExecutionNotification(n)
	}
	for _, e := range r.Errors {
		var at *sarif.Location
		if e.Location != nil {
			at = sarifLocation(e.Location, e.Location.File)
		}
		notify(errorText(e), at)
	}
	for _, u := range r.Unread {
		notify(unreadText(u), nil)
	}
	return inv
}
