// Package compliance says what a scan is evidence for: the controls of frameworks, each with what was asked of how many
// objects, and what came of it.
//
//	report.ScanResult ─┐
//	mesh.Snapshot      ├─► New ─► Report ─► Text, HTML, CSV, OSCAL, JUnit; JSON, which Read reads again
//	frameworks         ┘                └─► Compare(earlier, later) ─► Diff
//
// A mapping of a check to a control means evidence for it, never proof of it, and every format says so. A control is only
// counted where something was asked: one without a check, or whose checks had no object to look at, is not assessed, and no
// share is given without what it is a share of. The same input gives the same bytes; the one thing that differs between two
// runs is GeneratedAt, and nothing here reads a clock.
package compliance
