// Package checks holds the built-in checks: one .go file with the check and one .txtar file with
// its scenarios each. The file's name is the last element of the check's ID.
//
// To add one, write the two files; nothing else needs an edit. The check registers itself, its
// scenarios need at least one ok-* and one bad-* case, and `go test ./policies/checks -update`
// writes what they expect. What several checks share is in shared_*.go.
package checks

import "embed"

// Scenarios are the .txtar files, for `waywarden checks explain`.
//
//go:embed *.txtar
var Scenarios embed.FS
