package compliance

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies/mesh"
)

// oscalNS is whose the names of props are; oscalSpace is what UUIDs are made in.
const oscalNS = "https://waywarden.dev/ns/oscal"

var oscalSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte(oscalNS))

// oscalID is a UUID of version 5: the same parts have the same one, in every report.
func oscalID(parts ...string) string {
	return uuid.NewSHA1(oscalSpace, []byte(strings.Join(parts, "\x00"))).String()
}

// OSCAL writes assessment results of OSCAL 1.1.3: an inventory item for each object, an observation for each check and
// for each thing that it found at an object, a finding for each control that anything can be said of, a risk for each
// exemption that excepts something. OSCAL knows satisfied and not satisfied only: a control that is partly assessed, or
// exempt, is not satisfied, for the reason "other". Controls that are not assessed are not among those reviewed.
//
// It grows with the objects, findings and controls, and not with their product: a control names the observations of its checks,
// and of what these found the worst. The observation of a check names every object that it found something at, and that of what
// was found links to the one of its check, so that nothing of it is out of reach.
func OSCAL(w io.Writer, r *Report) error {
	o := oscalWriter{Report: r, items: map[mesh.Ref]bool{}, at: r.GeneratedAt.Format(time.RFC3339), byCheck: map[string]string{},
		byFinding: map[string][]oscalRelated{}, risksOf: map[string][]oscalRelatedRisk{}}
	var doc oscalAssessment
	out := &doc.Results
	identity := []string{r.Subject.Digest, r.Subject.Cluster, r.Tool.ChecksDigest, r.Tool.CatalogueDigest}
	plan := oscalID(append(identity, "plan")...)
	out.UUID = oscalID(append(identity, "results")...)
	out.Metadata = oscalMetadata{Title: "Compliance report of a service mesh", LastModified: o.at, Version: "1", OSCALVersion: oscalVersion, Remarks: r.Notice}
	out.ImportAP.Href = "#" + plan
	out.Results = []oscalResult{o.result(oscalID(append(identity, "result")...))}
	out.BackMatter.Resources = []oscalResource{
		{plan, "Assessment plan", "There is no plan apart from the checks: each was asked of every object of its kinds.", []oscalProp{prop("checks-digest", r.Tool.ChecksDigest)}},
		{oscalID("catalogue", r.Tool.CatalogueDigest), "Catalogue of controls", "The frameworks and controls by which findings are told.", []oscalProp{prop("catalogue-digest", r.Tool.CatalogueDigest)}},
		{oscalID("objects", r.Subject.Digest), "Objects that were judged", "Their digests are props of the inventory items.", []oscalProp{prop("objects-digest", r.Subject.Digest)}},
	}
	return report.JSON(w, doc)
}

type oscalWriter struct {
	*Report
	at        string
	items     map[mesh.Ref]bool             // the objects that are inventory items
	byCheck   map[string]string             // the UUID of a check's observation, by its ID
	byFinding map[string][]oscalRelated     // observations by fingerprint
	risksOf   map[string][]oscalRelatedRisk // of what a check found that is exempt, by its ID
}

// mostRelated is how many observations of what was found a control names.
const mostRelated = 100

// prop is a property of ours; OSCAL takes no empty value, and none that begins or ends with a space.
func prop(name, value string) oscalProp {
	return oscalProp{Name: name, NS: oscalNS, Value: oscalLine(value)}
}

func oscalLine(text string) string {
	if text = strings.TrimSpace(report.Printable(text)); text == "" {
		return "-"
	}
	return text
}

func (o *oscalWriter) result(id string) oscalResult {
	r := oscalResult{UUID: id, Title: "What was found", Start: o.at, End: o.at, Remarks: o.Notice,
		Description: fmt.Sprintf("%s, judged by %s as Istio %s.", subjectOf(o.Report), count(o.Summary.Checks, "check", "checks"), o.Tool.Istio),
		Props:       []oscalProp{prop("source", o.Subject.Source), prop("tool-version", o.Tool.Version)}}
	if o.Subject.Cluster != "" {
		r.Props = append(r.Props, prop("cluster-uid", o.Subject.Cluster))
	}
	if items := o.inventory(); len(items) > 0 {
		r.Local = &oscalLocal{items}
	}
	r.Observed = o.observations()
	r.Risks = o.risks()
	for i := range o.Frameworks {
		r.Reviewed.Selections = append(r.Reviewed.Selections, reviewed(&o.Frameworks[i]))
		r.Findings = append(r.Findings, o.findingsOf(&o.Frameworks[i])...)
	}
	if len(o.Frameworks) == 0 {
		r.Reviewed.Selections = []oscalSelection{{Description: "No framework was asked for."}}
	}
	return r
}

// itemID is that of an object, whatever its version.
func itemID(ref mesh.Ref) string { return oscalID("object", ref.Kind, ref.Namespace, ref.Name) }

func (o *oscalWriter) inventory() []oscalItem {
	var out []oscalItem
	for _, object := range o.Objects {
		o.items[object.Ref] = true
		item := oscalItem{UUID: itemID(object.Ref), Description: oscalLine(object.String()),
			Props: []oscalProp{prop("api-version", object.APIVersion), prop("kind", object.Kind), prop("name", object.Name), prop("digest", object.Digest)}}
		for _, p := range []oscalProp{{Name: "namespace", Value: object.Namespace}, {Name: "uid", Value: object.UID}, {Name: "resource-version", Value: object.ResourceVersion}} {
			if p.Value != "" {
				item.Props = append(item.Props, prop(p.Name, p.Value))
			}
		}
		out = append(out, item)
	}
	return out
}

// observations are one for each check that had something to look at, and one for each finding.
func (o *oscalWriter) observations() []oscalObservation {
	var out []oscalObservation
	subjects := map[string][]oscalSubject{}
	for i := range o.Findings {
		if f := &o.Findings[i]; o.items[f.Object] {
			subjects[f.Check] = append(subjects[f.Check], oscalSubject{UUID: itemID(f.Object), Type: "inventory-item"})
		}
	}
	for _, c := range o.Checks {
		if c.Objects.Assessed == 0 {
			continue
		}
		one := oscalObservation{UUID: oscalID("check", c.ID, c.Digest), Title: c.ID, Methods: []string{"TEST"}, Types: []string{"control-objective"}, Collected: o.at,
			Description: fmt.Sprintf("%s: asked of %s; %d fail, %d cannot be judged, %d are exempt, %d pass.", c.Title,
				count(c.Objects.Assessed, "object", "objects"), c.Objects.Failed, c.Objects.Unknown, c.Objects.Exempt, c.Objects.Passed),
			Props: []oscalProp{prop("rule-id", c.ID), prop("rule-digest", c.Digest), prop("severity", string(c.Severity))}, Subjects: once(subjects[c.ID])}
		o.byCheck[c.ID] = one.UUID
		out = append(out, one)
	}
	for i := range o.Findings {
		f := &o.Findings[i]
		one := o.observe(f, len(o.byFinding[f.Fingerprint])+1)
		o.byFinding[f.Fingerprint] = append(o.byFinding[f.Fingerprint], oscalRelated{one.UUID})
		if f.Exemption != nil {
			if risk := (oscalRelatedRisk{riskID(*f.Exemption)}); !slices.Contains(o.risksOf[f.Check], risk) {
				o.risksOf[f.Check] = append(o.risksOf[f.Check], risk)
			}
		}
		out = append(out, one)
	}
	return out
}

// observe is a finding as an observation; of several that are alike it is the nth.
func (o *oscalWriter) observe(f *Finding, nth int) oscalObservation {
	result := "fail"
	if f.Exempt {
		result = "exempt"
	}
	one := oscalObservation{UUID: oscalID("finding", f.Fingerprint, fmt.Sprint(nth)), Title: f.Check, Description: oscalLine(f.Message), Methods: []string{"TEST"},
		Types: []string{"finding"}, Collected: o.at, Remarks: oscalLine(f.Remedy),
		Props: []oscalProp{prop("rule-id", f.Check), prop("result", result), prop("severity", string(f.Severity)), prop("fingerprint", f.Fingerprint)}}
	if check := o.byCheck[f.Check]; check != "" {
		one.Links = []oscalLink{{Href: "#" + check, Rel: "check"}}
	}
	if f.Field != "" {
		one.Props = append(one.Props, prop("field", f.Field))
	}
	if o.items[f.Object] {
		one.Subjects = []oscalSubject{{UUID: itemID(f.Object), Type: "inventory-item", Title: oscalLine(f.Object.String())}}
		one.Evidence = []oscalProof{{Description: "The object as it was judged.", Props: []oscalProp{prop("digest", f.Digest)}}}
	}
	return one
}

// risks are one for each exemption that excepts something: what somebody has signed for.
func (o *oscalWriter) risks() []oscalRisk {
	var out []oscalRisk
	for _, e := range o.Exemptions {
		if e.Matched == 0 {
			continue
		}
		name := e.Namespace + "/" + e.Name
		risk := oscalRisk{UUID: riskID(e.Exemption), Title: "Exemption " + oscalLine(name), Status: "deviation-approved", Deadline: e.ExpiresAt.Format(time.RFC3339),
			Description: fmt.Sprintf("%s until %s.", count(e.Matched, "finding is exempt", "findings are exempt"), e.ExpiresAt.Format(time.RFC3339)), Statement: oscalLine(e.Reason)}
		for _, p := range []oscalProp{{Name: "ticket", Value: e.Ticket}, {Name: "granted-by", Value: e.GrantedBy}} {
			if p.Value != "" {
				risk.Props = append(risk.Props, prop(p.Name, p.Value))
			}
		}
		var exempt []string
		for i := range o.Findings {
			if x := o.Findings[i].Exemption; x != nil && x.Namespace == e.Namespace && x.Name == e.Name {
				exempt = append(exempt, o.Findings[i].Fingerprint)
			}
		}
		for _, f := range once(exempt) {
			risk.Related = append(risk.Related, o.byFinding[f]...)
		}
		out = append(out, risk)
	}
	return out
}

func riskID(e report.Exemption) string { return oscalID("exemption", e.Namespace, e.Name) }

// controlID is a control's ID as a token of OSCAL: that of NIST's catalogue, or one made of the framework and the control.
func controlID(framework, id, oscal string) string {
	if oscal != "" {
		return oscal
	}
	return anchor("_"+framework, id)
}

func reviewed(f *Framework) oscalSelection {
	out := oscalSelection{Description: oscalLine(f.Title) + ": " + totals(f) + "."}
	for _, c := range f.Controls {
		if c.State != NotAssessed {
			out.Controls = append(out.Controls, oscalSelected{controlID(f.ID, c.ID, c.OSCAL)})
		}
	}
	return out
}

// findingsOf are the controls of a framework that anything can be said of.
func (o *oscalWriter) findingsOf(f *Framework) []oscalFinding {
	var out []oscalFinding
	for _, c := range f.Controls {
		if c.State == NotAssessed {
			continue
		}
		one := oscalFinding{UUID: oscalID("control", f.ID, c.ID, o.Subject.Digest), Title: oscalLine(c.ID) + " " + c.State.Words(), Description: oscalLine(c.Because), Remarks: o.Notice,
			Props: []oscalProp{prop("framework", f.ID), prop("control", c.ID), prop("state", string(c.State))}}
		one.Target.Type, one.Target.ID = "objective-id", controlID(f.ID, c.ID, c.OSCAL)+"_obj"
		one.Target.Status.State, one.Target.Status.Reason = oscalState(c.State)
		for _, check := range c.Checks {
			if id := o.byCheck[check]; id != "" {
				one.Related = append(one.Related, oscalRelated{id})
			}
			one.Risks = append(one.Risks, o.risksOf[check]...)
		}
		one.Risks = once(one.Risks)
		var found []oscalRelated
		for _, f := range once(c.Findings) {
			found = append(found, o.byFinding[f]...)
		}
		if len(found) > mostRelated {
			one.Remarks += fmt.Sprintf(" Of %d observations of what was found the %d of the worst are named here. Those of the checks name all objects, and what was found links to them.", len(found), mostRelated)
		}
		one.Related = append(one.Related, found[:min(len(found), mostRelated)]...)
		out = append(out, one)
	}
	return out
}

// once is each of a list, where it is first.
func once[T comparable](list []T) []T {
	var out []T
	seen := map[T]bool{}
	for _, one := range list {
		if !seen[one] {
			out, seen[one] = append(out, one), true
		}
	}
	return out
}

func oscalState(s State) (state, reason string) {
	switch s {
	case Satisfied:
		return "satisfied", "pass"
	case NotSatisfied:
		return "not-satisfied", "fail"
	}
	return "not-satisfied", "other"
}
