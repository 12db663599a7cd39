package compliance

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Input is what a Report is made of.
type Input struct {
	Scan     *report.ScanResult
	Snapshot *mesh.Snapshot
	// Known are all checks there are, also those that a scan does not ask.
	Known []*policies.Check
	// Standings are those of all Exemptions.
	Standings []decide.Standing
	// Frames are the frameworks to say something of.
	Frames []Frame
	// Source, Paths and ResourceVersion say where objects come from; the latter may be nil.
	Source          string
	Paths           []string
	ResourceVersion func(*mesh.Object) string
	// Version is that of the program; Now the moment that the report is of.
	Version string
	Now     time.Time
}

// New makes a Report. It keeps nothing of the input but the scan.
func New(in Input) *Report {
	r := &Report{APIVersion: APIVersion, Kind: Kind, Notice: Notice, GeneratedAt: in.Now.UTC().Truncate(time.Second), scan: in.Scan,
		Errors: in.Scan.Errors, Unread: in.Scan.Unread, Frameworks: []Framework{}, Checks: []Check{}, Findings: []Finding{}, Exemptions: []Exemption{}}
	in.Scan.Notice = Notice
	a := readAnswers(in.Scan)
	for _, frame := range in.Frames {
		r.Frameworks = append(r.Frameworks, assess(frame, in.Scan, a))
		in.Scan.Frameworks = append(in.Scan.Frameworks, frame.ID)
	}
	r.Objects = objectsOf(&in)
	r.findings(in.Scan)
	r.checks(in.Known, in.Scan, a)
	r.exemptions(in.Standings)
	r.Namespaces = coverage(&in)
	r.tool(&in)
	r.subject(&in)
	r.summarise()
	return r
}

// content is what of an object its digest is over.
func content(o *mesh.Object) map[string]any {
	out := maps.Clone(o.Content())
	delete(out, "status")
	metadata, _ := out["metadata"].(map[string]any)
	kept := map[string]any{}
	for _, field := range []string{"name", "namespace", "labels", "annotations"} {
		if v, ok := metadata[field]; ok {
			kept[field] = v
		}
	}
	if o.Namespace != "" { // a file may leave it out, and a command line fill it in
		kept["namespace"] = o.Namespace
	}
	out["metadata"] = kept
	return out
}

// Digest is over what people write of an object: "sha256:" and 64 hexadecimal digits.
func Digest(o *mesh.Object) string { return digestOf(content(o)) }

func objectsOf(in *Input) []Object {
	out := []Object{}
	for _, j := range in.Scan.Judged {
		kind, ok := mesh.KindOf(j.Object.APIVersion, j.Object.Kind)
		if !ok {
			continue
		}
		o := in.Snapshot.Get(kind, j.Object.Namespace, j.Object.Name)
		if o == nil {
			continue
		}
		one := Object{Ref: o.Ref(), UID: o.UID, Generation: o.Generation, Digest: Digest(o)}
		if in.ResourceVersion != nil {
			one.ResourceVersion = in.ResourceVersion(o)
		}
		out = append(out, one)
	}
	return out
}

func (r *Report) findings(scan *report.ScanResult) {
	objects := map[mesh.Ref]Object{}
	for _, o := range r.Objects {
		objects[o.Ref] = o
	}
	for _, f := range scan.Findings {
		o := objects[f.Object]
		r.Findings = append(r.Findings, Finding{Fingerprint: report.Fingerprint(&f.Finding), Finding: f, UID: o.UID, Digest: o.Digest})
	}
}

func (r *Report) checks(known []*policies.Check, scan *report.ScanResult, a answers) {
	at := map[string]int{}
	for _, c := range known {
		asked := slices.Contains(scan.Checks, c)
		if !asked && c.Run != nil {
			continue
		}
		at[c.ID] = len(r.Checks)
		described := report.DescribeCheck(c)
		r.Checks = append(r.Checks, Check{ID: c.ID, Title: c.Title, Severity: c.Severity, Remedy: c.Remedy, Controls: described.Controls,
			AtAdmission: described.Change, Digest: digest(c)})
	}
	for _, j := range judgedOf(scan) {
		for _, check := range j.Checks {
			if n, ok := at[check]; ok {
				r.Checks[n].Objects.add(a.at(j.Object, check))
			}
		}
	}
}

// digest is over what a check was made of; of a check of this program, over what it says of itself.
func digest(c *policies.Check) string {
	if c.Revision != "" {
		return c.Revision
	}
	return digestOf(report.DescribeCheck(c))
}

func (r *Report) exemptions(standings []decide.Standing) {
	for _, s := range standings {
		e := s.Exemption
		r.Exemptions = append(r.Exemptions, Exemption{State: string(s.State), Matched: s.Matched, Exemption: report.Exemption{
			Namespace: e.Namespace, Name: e.Name, Reason: e.Reason, Ticket: e.Ticket, GrantedBy: e.GrantedBy, ExpiresAt: e.ExpiresAt.UTC()}})
	}
}

func (r *Report) tool(in *Input) {
	settings := in.Snapshot.Settings()
	r.Tool = Tool{Name: "waywarden", Version: in.Version, Istio: settings.Version.String(), IstioFrom: settings.VersionFrom}
	var digests []string
	for _, c := range r.Checks {
		if !c.AtAdmission {
			digests = append(digests, c.ID+" "+c.Digest)
		}
	}
	r.Tool.ChecksDigest = digestOf(digests)
	catalogue := []any{}
	for _, f := range in.Frames {
		catalogue = append(catalogue, f.ID, f.Title, f.Complete, f.Controls)
	}
	r.Tool.CatalogueDigest = digestOf(catalogue)
}

func (r *Report) subject(in *Input) {
	r.Subject = Subject{Source: in.Source, Paths: append([]string{}, in.Paths...), Objects: in.Scan.Summary.Objects}
	if ns := in.Snapshot.Get(mesh.Namespace, "", "kube-system"); ns != nil {
		r.Subject.Cluster = ns.UID
	}
	var digests []string
	for _, o := range r.Objects {
		digests = append(digests, o.String()+" "+o.Digest)
	}
	r.Subject.Digest = digestOf(digests)
}

func (r *Report) summarise() {
	s := &r.Summary
	s.Namespaces, s.Policies, s.Judged = len(r.Namespaces), r.scan.Summary.Policies, len(r.Objects)
	s.Checks, s.Findings = r.scan.Summary.Checks, r.scan.Summary.Findings
	for _, f := range r.Findings {
		if f.Exempt {
			s.Exempt++
		}
	}
	for _, ns := range r.Namespaces {
		s.NotInForce += ns.Policies.Of - ns.Policies.N
	}
	slices.SortStableFunc(r.Exemptions, func(a, b Exemption) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
}

// Since enters since when each finding has been found, where somebody knows. Nothing was found after the moment that the report is of.
func (r *Report) Since(known func(fingerprint string) (time.Time, bool)) {
	for i := range r.Findings {
		if at, ok := known(r.Findings[i].Fingerprint); ok && !at.After(r.GeneratedAt) {
			at = at.UTC()
			r.Findings[i].FirstSeen = &at
		}
	}
}
