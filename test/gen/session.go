package main

import (
	"strings"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
)

// session is what the binary prints in a terminal of 100 columns, less the colour.
func session() (string, error) {
	const file, check, columns = "examples/ineffective.yaml", "effect/l7-deny-no-op", 100
	found, err := inventory.Files(inventory.FileOptions{}, file)
	if err != nil {
		return "", err
	}
	result := audit.Scan(found, audit.Options{Checks: policies.Checks(check)})
	var b strings.Builder
	b.WriteString("```console\n$ waywarden scan " + file + " --check " + check + "\n")
	if err := report.Text(&b, result, report.Style{Width: columns, Again: &report.Again{Paths: []string{file}}}); err != nil {
		return "", err
	}
	b.WriteString("```\n")
	return b.String(), nil
}
