package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// ruleCheck is the rules check command's flags.
type ruleCheck struct {
	folder
	output outputFlag
	fmt    bool
}

func newRulesCheck(e *env) *cobra.Command {
	c := &ruleCheck{output: outputFlag{value: "text", allowed: []string{"text", "json", "yaml", "sarif", "github"}}}
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Say everything for which rules would be refused",
		Long: `Say everything for which rules would be refused, with file, line, column and what to do: in METADATA, in scenarios that are
missing, in fields and values that the kinds do not have, in what reaches outside, and in the layout.

Exit status: 0 nothing; 1 something is refused; 2 wrong usage, or nothing to read.`,
		Example: examples(e, `
waywarden rules check policies/

# lay the files out as opa fmt does, then look
waywarden rules check policies/ --fmt

# annotate a pull request
waywarden rules check policies/ -o github`),
		RunE: func(_ *cobra.Command, args []string) error { return c.run(e, args) },
	}
	c.folder.add(cmd)
	c.output.add(cmd)
	cmd.Flags().BoolVar(&c.fmt, "fmt", false, "lay the files out first")
	return cmd
}

// Refused is what rules check prints for programs.
type refused struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Rules      int            `json:"rules"`
	Refusals   rules.Refusals `json:"refusals"`
}

func (c *ruleCheck) run(e *env, args []string) error {
	pack, refusals, err := c.check(args)
	if err != nil {
		return err
	}
	n := 0
	if pack != nil {
		n = len(pack.Rules)
	}
	if err := c.write(e, n, refusals); err != nil {
		return failed(err)
	}
	if len(refusals) > 0 {
		return end(report.StatusFindings)
	}
	return nil
}

func (c *ruleCheck) check(args []string) (*rules.Pack, rules.Refusals, error) {
	if len(args) == 0 {
		if c.fmt {
			return nil, nil, fmt.Errorf("--fmt: the library is part of the program. Name a folder")
		}
		return rules.Check(zerotrust.Files, rules.Options{Root: zerotrust.Root, Library: true})
	}
	fsys, options, err := rulesIn(args[0], c.library)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", args[0], err)
	}
	if c.fmt {
		if err := notWritten("--fmt", args[0]); err != nil {
			return nil, nil, err
		}
		if err := format(fsys, args[0]); err != nil {
			return nil, nil, err
		}
	}
	pack, refusals, err := rules.Check(fsys, options)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", args[0], err)
	}
	return pack, refusals, nil
}

// format rewrites the files of a folder that are laid out otherwise.
func format(fsys fs.FS, dir string) error {
	return rules.EachFile(fsys, func(name string) error {
		if filepath.Ext(name) != ".rego" {
			return nil
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		before, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		after := rules.Format(before)
		if bytes.Equal(before, after) {
			return nil
		}
		return os.WriteFile(file, after, 0o644)
	})
}

func (c *ruleCheck) write(e *env, n int, refusals rules.Refusals) error {
	switch c.output.value {
	case "sarif":
		return report.SARIF(e.stdout, asScan(refusals), programVersion())
	case "github":
		return report.GitHub(e.stdout, asScan(refusals), policies.Low)
	case "text":
		for _, r := range refusals {
			if _, err := fmt.Fprintln(e.stdout, r); err != nil {
				return err
			}
		}
		if len(refusals) > 0 {
			_, err := fmt.Fprintf(e.stdout, "%s\n", plural(len(refusals), "refusal", "refusals"))
			return err
		}
		_, err := fmt.Fprintf(e.stdout, "%s, nothing to refuse\n", plural(n, "rule", "rules"))
		return err
	}
	if refusals == nil {
		refusals = rules.Refusals{}
	}
	return c.output.write(e.stdout, refused{APIVersion: report.APIVersion, Kind: "RuleCheck", Rules: n, Refusals: refusals})
}

// refusal is the check that refusals come from where they are shown as findings.
var refusal = &policies.Check{
	ID: "rules/refused", Title: "A rule that is not loaded", Severity: policies.High,
	Doc:    "Rules are loaded as a whole or not at all: none of a folder is asked while one of them is refused.",
	Remedy: "Do what the message says.",
}

// asScan are refusals as the findings of a scan, for the formats that show findings at places in files.
func asScan(refusals rules.Refusals) *report.ScanResult {
	out := &report.ScanResult{Checks: []*policies.Check{refusal}}
	for _, r := range refusals {
		what, remedy := r.Message, refusal.Remedy
		if i := strings.LastIndex(what, ". "); i >= 0 {
			what, remedy = what[:i+1], what[i+2:]
		}
		out.Findings = append(out.Findings, report.Finding{
			Finding:  policies.Finding{Check: refusal.ID, Severity: refusal.Severity, Action: string(v1alpha1.Deny), Object: mesh.Ref{Kind: "Rule", Name: r.File}, Message: what, Remedy: remedy},
			Location: &report.Location{File: r.File, Line: max(r.Line, 1), Column: max(r.Column, 1)},
		})
	}
	return out
}
