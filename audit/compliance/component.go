package compliance

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules/controls"
)

// nistCatalogue is where NIST publishes its catalogue in OSCAL.
const nistCatalogue = "https://raw.githubusercontent.com/usnistgov/oscal-content/main/nist.gov/SP800-53/rev5/json/NIST_SP-800-53_rev5_catalog.json"

// ComponentDefinition writes a component definition of OSCAL 1.1.3: the program as a component that validates, its checks
// as rules, and for each framework which of its controls they are evidence for. now is when it was last modified, which OSCAL
// wants to be told.
func ComponentDefinition(w io.Writer, checks []*policies.Check, version string, now time.Time) error {
	var doc oscalDefinition
	out := &doc.Component
	out.UUID = oscalID("component-definition", version)
	out.Metadata = oscalMetadata{Title: "Waywarden", LastModified: now.UTC().Truncate(time.Second).Format(time.RFC3339), Version: oscalLine(version), OSCALVersion: oscalVersion, Remarks: Notice}
	component := oscalComponent{UUID: oscalID("component"), Type: "validation", Title: "Waywarden",
		Description: "Says what every Istio policy in a mesh really does, from what is stored, and checks it."}
	for i, c := range checks {
		set := fmt.Sprintf("rule_set_%d", i)
		for _, p := range []oscalProp{{Name: "Rule_Id", Value: c.ID}, {Name: "Rule_Description", Value: c.Title}, {Name: "Check_Id", Value: c.ID},
			{Name: "Severity", Value: string(c.Severity)}, {Name: "Rule_Digest", Value: digest(c)}} {
			p = prop(p.Name, p.Value)
			p.Remarks = set
			component.Props = append(component.Props, p)
		}
	}
	for _, f := range controls.Frameworks() {
		source := nistCatalogue
		if f.ID != controls.NIST80053 {
			resource := oscalID("framework", f.ID)
			source = "#" + resource
			out.BackMatter.Resources = append(out.BackMatter.Resources, oscalResource{UUID: resource, Title: f.Title,
				Description: "Only the controls are known that checks name; their texts are not here."})
		}
		if impl := implementation(Frame{Framework: f}, checks, source); len(impl.Requirements) > 0 {
			component.Implementations = append(component.Implementations, impl)
		}
	}
	out.Components = []oscalComponent{component}
	return report.JSON(w, doc)
}

func implementation(frame Frame, checks []*policies.Check, source string) oscalImplementation {
	out := oscalImplementation{UUID: oscalID("implementation", frame.ID), Source: source,
		Description: oscalLine(frame.Title) + ": the controls for which answers of checks are evidence. " + Notice}
	evidence := frame.evidence(checks)
	for _, c := range frame.Controls {
		of := evidence[c.ID]
		if len(of) == 0 {
			continue
		}
		var ids []string
		requirement := oscalRequirement{UUID: oscalID("requirement", frame.ID, c.ID), Control: controlID(frame.ID, c.ID, c.OSCAL)}
		for _, check := range of {
			ids = append(ids, check.ID)
			requirement.Props = append(requirement.Props, prop("Rule_Id", check.ID))
		}
		requirement.Description = "Evidence: " + strings.Join(ids, ", ") + "."
		out.Requirements = append(out.Requirements, requirement)
	}
	return out
}
