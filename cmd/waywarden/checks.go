package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/scenario"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

func newChecks(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checks",
		Short: "List the checks, or explain one",
		Example: examples(e, `
# every ID that a finding can print
waywarden checks list

# what one of them finds, why it matters, an example, and what to do
waywarden checks explain effect/l7-deny-no-op`),
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newChecksList(e), newChecksExplain(e))
	return cmd
}

// completeChecks completes the IDs of checks.
func completeChecks(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, c := range slices.Concat(policies.Checks(), zerotrust.Pack().Checks()) {
		out = append(out, cobra.CompletionWithDesc(c.ID, c.Title))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func newChecksList(e *env) *cobra.Command {
	output := outputFlag{value: "text", allowed: []string{"text", "json", "yaml", "oscal"}}
	var sets rulesets
	cmd := &cobra.Command{
		Use:   "list [GLOB...]",
		Short: "List every check that a finding can come from",
		Example: examples(e, `
waywarden checks list

waywarden checks list 'effect/*' -o json

# a component definition of OSCAL: which controls each check is evidence for
waywarden checks list -o oscal > waywarden-component.json`),
		ValidArgsFunction: completeChecks,
		RunE: func(cmd *cobra.Command, globs []string) error {
			known, err := sets.checks(cmd.Context())
			if err != nil {
				return err
			}
			selected, err := selectChecks(known, globs)
			if err != nil {
				return err
			}
			switch output.value {
			case "oscal":
				now, err := momentOf(e, "")
				if err != nil {
					return err
				}
				return compliance.ComponentDefinition(e.stdout, selected, programVersion(), now)
			case "json", "yaml":
				return output.write(e.stdout, report.DescribeChecks(selected))
			}
			t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "ID\tSEVERITY\tFINDS")
			for _, c := range selected {
				fmt.Fprintf(t, "%s\t%s\t%s\n", c.ID, c.Severity, c.Title)
			}
			return t.Flush()
		},
	}
	output.add(cmd)
	sets.addSources(cmd)
	return cmd
}

func newChecksExplain(e *env) *cobra.Command {
	output := outputFlag{value: "text", allowed: []string{"text", "json", "yaml"}}
	var sets rulesets
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Say what a check finds, why it matters, and what to do",
		Example: examples(e, `
waywarden checks explain effect/l7-deny-no-op`),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeChecks,
		RunE: func(cmd *cobra.Command, args []string) error {
			known, err := sets.checks(cmd.Context())
			if err != nil {
				return err
			}
			found, err := selectChecks(known, args)
			if err != nil {
				return err
			}
			if len(found) > 1 {
				return fmt.Errorf("%q names %d checks; name one of them", args[0], len(found))
			}
			description := report.DescribeCheck(found[0])
			description.Example = exampleOf(found[0])
			if output.value != "text" {
				return output.write(e.stdout, description)
			}
			return explainCheck(e.stdout, description)
		},
	}
	output.add(cmd)
	sets.addSources(cmd)
	return cmd
}

func explainCheck(w io.Writer, c report.CheckDescription) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", c.ID, c.Title)
	asked := "Asked of: "
	if c.Change {
		asked = "Asked at admission, of changes of:"
	}
	fmt.Fprintf(&b, "Severity:  %s\n%s %s\n", c.Severity, asked, strings.Join(c.Kinds, ", "))
	if len(c.Cases) > 0 {
		fmt.Fprintf(&b, "Cases:     %s of docs/semantics.md\n", strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Cases), " ", ", "), "[]"))
	}
	for _, framework := range slices.Sorted(maps.Keys(c.Controls)) {
		fmt.Fprintf(&b, "Evidence:  %s %s\n", framework, strings.Join(c.Controls[framework], ", "))
	}
	fmt.Fprintf(&b, "\nWhat and why:\n%s\n\nWhat to do:\n%s\n", indented(c.Doc), indented(c.Remedy))
	if c.Example != "" {
		fmt.Fprintf(&b, "\nExample:\n%s\n", indented(c.Example))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func indented(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = "  " + l
		}
	}
	return strings.Join(lines, "\n")
}

// exampleOf is the first case of a check's scenarios in which it finds something; a check is
// documented by what it is tested with.
func exampleOf(c *policies.Check) string {
	if c.Example != "" {
		return c.Example
	}
	file := strings.ReplaceAll(c.ID[strings.LastIndexByte(c.ID, '/')+1:], "-", "_") + ".txtar"
	data, err := checks.Scenarios.ReadFile(file)
	if err != nil {
		return ""
	}
	cases, err := scenario.Parse(file, data)
	if err != nil {
		return ""
	}
	for _, k := range cases.Cases {
		if k.Bad() {
			return k.Source
		}
	}
	return ""
}
