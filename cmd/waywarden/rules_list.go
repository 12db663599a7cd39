package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/controls"
	"github.com/waywarden/waywarden/rules/handbook"
)

// ruleList is the rules list command's flags.
type ruleList struct {
	folder
	output    outputFlag
	framework string
}

// listedRules is what rules list prints for programs.
type listedRules struct {
	APIVersion string              `json:"apiVersion"`
	Kind       string              `json:"kind"`
	Rules      []handbook.Rule     `json:"rules"`
	Framework  *handbook.Framework `json:"framework,omitempty"`
}

func newRulesList(e *env) *cobra.Command {
	l := &ruleList{output: outputFlag{value: "text", allowed: []string{"text", "json", "yaml"}}}
	cmd := &cobra.Command{
		Use:   "list [DIR]",
		Short: "List rules, or the controls of a framework with the rules that give evidence for them",
		Example: examples(e, `
# the library
waywarden rules list

# rules of a folder, for programs
waywarden rules list policies/ -o json

# which controls have a rule, and which have none
waywarden rules list --framework nist-800-53-r5`),
		RunE: func(_ *cobra.Command, args []string) error { return l.run(e, args) },
	}
	l.folder.add(cmd)
	l.output.add(cmd)
	cmd.Flags().StringVar(&l.framework, "framework", "", "the controls of this framework: "+strings.Join(frameworkIDs(), ", "))
	mustComplete(cmd, "framework", cobra.FixedCompletions(frameworkIDs(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func frameworkIDs() []string {
	var out []string
	for _, f := range controls.Frameworks() {
		out = append(out, f.ID)
	}
	return out
}

func (l *ruleList) run(e *env, args []string) error {
	pack, err := l.load(args)
	if err != nil {
		return err
	}
	out := listedRules{APIVersion: report.APIVersion, Kind: "RuleList", Rules: []handbook.Rule{}}
	for _, r := range pack.Rules {
		d := handbook.Describe(r)
		d.Examples = nil // rules explain shows them
		out.Rules = append(out.Rules, d)
	}
	if l.framework != "" {
		f := controls.Find(l.framework)
		if f == nil {
			return fmt.Errorf("--framework: there is none called %q%s", l.framework, didYouMean(l.framework, frameworkIDs()))
		}
		m := handbook.Map(f, pack)
		out.Framework = &m
	}
	switch {
	case l.output.value != "text":
		err = l.output.write(e.stdout, out)
	case out.Framework != nil:
		err = controlsText(e, *out.Framework)
	default:
		err = rulesText(e, pack)
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

func rulesText(e *env, pack *rules.Pack) error {
	t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSEVERITY\tFINDS")
	for _, r := range pack.Rules {
		fmt.Fprintf(t, "%s\t%s\t%s\n", r.ID, r.Severity, r.Title)
	}
	return t.Flush()
}

func controlsText(e *env, f handbook.Framework) error {
	with, without := f.With()
	fmt.Fprintf(e.stdout, "%s\n%s\n\n", f.Title, handbook.Evidence)
	t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONTROL\tTITLE\tRULES")
	for _, c := range with {
		for i, id := range c.Rules {
			if i == 0 {
				fmt.Fprintf(t, "%s\t%s\t%s\n", c.ID, c.Title, id)
				continue
			}
			fmt.Fprintf(t, "\t\t%s\n", id)
		}
	}
	for _, c := range without {
		fmt.Fprintf(t, "%s\t%s\t-\n", c.ID, c.Title)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "\n%s with a rule, %d without\n", plural(len(with), "control", "controls"), len(without))
	return err
}
