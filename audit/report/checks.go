package report

import "github.com/waywarden/waywarden/policies"

// ChecksKind is the kind of a CheckList.
const ChecksKind = "CheckList"

// CheckList is what `checks list` says.
type CheckList struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Checks     []CheckDescription `json:"checks"`
}

// CheckDescription is what there is to know of a check.
type CheckDescription struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Severity policies.Severity `json:"severity"`
	Kinds    []string          `json:"kinds"`
	Change   bool              `json:"change"` // asked of a change, at admission
	Doc      string            `json:"doc"`
	Remedy   string            `json:"remedy"`
	Cases    []int             `json:"cases"`
	// Controls are those that its answer is evidence for, by framework.
	Controls policies.Controls `json:"controls"`
	Example  string            `json:"example,omitempty"`
}

// DescribeCheck describes one check.
func DescribeCheck(c *policies.Check) CheckDescription {
	d := CheckDescription{ID: c.ID, Title: c.Title, Severity: c.Severity, Doc: c.Doc, Remedy: c.Remedy, Cases: notNil(c.Cases), Kinds: []string{},
		Change: c.Run == nil && c.Change != nil, Controls: c.Controls}
	if d.Controls == nil {
		d.Controls = policies.Controls{}
	}
	if c.About != "" {
		d.Kinds = append(d.Kinds, c.About)
	}
	for _, k := range c.Kinds {
		d.Kinds = append(d.Kinds, k.String())
	}
	return d
}

// DescribeChecks describes checks, in their order.
func DescribeChecks(checks []*policies.Check) CheckList {
	l := CheckList{APIVersion: APIVersion, Kind: ChecksKind, Checks: []CheckDescription{}}
	for _, c := range checks {
		l.Checks = append(l.Checks, DescribeCheck(c))
	}
	return l
}
