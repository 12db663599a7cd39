package openreports

import (
	"fmt"
	"strings"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"

	"github.com/waywarden/waywarden/audit/report"
)

// Unseen is what could not be looked at, so that nobody takes "nothing was found" for "nothing is wrong".
type Unseen struct {
	// Held is whether nothing is judged because of it: what is told is what was found before.
	Held bool
	// Kinds could not be read; Errors are messages about files and objects that could not.
	Kinds  []report.Unread
	Errors []string
}

// None is whether everything could be looked at.
func (u Unseen) None() bool { return !u.Held && len(u.Kinds)+len(u.Errors) == 0 }

// PolicyUnseen is the policy of the result that tells it.
const PolicyUnseen = "audit/unread"

const keyUnread = "unread"

// result tells it in every object, because whoever reads one reads no other. It comes first, and is one whatever there is to tell.
func (u Unseen) result() openreports.ReportResult {
	var said, kinds []string
	for _, k := range u.Kinds {
		said = append(said, strings.TrimSpace(strings.TrimRight(fmt.Sprintf("%s: %s", k.Resource, k.Why), ".")+". "+k.Leaves))
		kinds = append(kinds, k.Kind)
	}
	text := "Not everything could be read. " + strings.Join(append(said, u.Errors...), " ")
	if u.Held {
		text = "The audit is held: answers depend on what cannot be read, so that nothing is judged, and what is told here is what was found before. " + strings.Join(said, " ")
	}
	out := openreports.ReportResult{Source: Source, Policy: PolicyUnseen, Category: "audit", Severity: "high", Result: "error", Description: cutText(report.Printable(strings.TrimSpace(text)))}
	if len(kinds) > 0 {
		out.Properties = map[string]string{keyUnread: cutText(strings.Join(kinds, ","))}
	}
	return out
}
