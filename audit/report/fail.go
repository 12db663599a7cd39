package report

import (
	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

// Never is the threshold at which no finding fails.
const Never policies.Severity = "never"

// Fails is whether a finding is one to fail for: it is not exempt nor in the baseline, and its action
// is Deny, or Warn at or above a severity.
func (f *Finding) Fails(failOn policies.Severity) bool {
	if f.Exempt || f.Known || failOn == Never {
		return false
	}
	switch v1alpha1.Action(f.Action) {
	case v1alpha1.Deny:
		return true
	case v1alpha1.Warn:
		return f.Severity.Rank() <= failOn.Rank()
	}
	return false
}

// The exit statuses of a scan.
const (
	StatusClean    = 0
	StatusFindings = 1
	StatusUsage    = 2 // wrong usage, or nothing to read
	StatusErrors   = 3 // something could not be read or evaluated
)

// Status is the exit status that a result deserves. What could not be read beats what was found.
func (r *ScanResult) Status(failOn policies.Severity) int {
	if len(r.Errors) > 0 || len(r.Unread) > 0 {
		return StatusErrors
	}
	for i := range r.Findings {
		if r.Findings[i].Fails(failOn) {
			return StatusFindings
		}
	}
	return StatusClean
}
