package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/trial"
)

// ruleTrial is the rules test command's flags.
type ruleTrial struct {
	folder
	glob                              string
	update, coverage, mutate, verbose bool
}

func newRulesTest(e *env) *cobra.Command {
	t := &ruleTrial{}
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the scenarios of rules, and their tests in Rego",
		Long: `Run the scenarios of rules, and their tests in Rego: rules called test_* in files that end in _test.rego.

Of a case that fails it prints what differs from what was expected, the part of the evaluation that explains it (which clause
holds, or at which expression it stops, with the values there), and what the rule printed.

--coverage shows the lines that no scenario reaches. --mutate puts small mistakes into each rule, one at a time (an operator,
a constant, a condition less, a condition turned round, a clause less), and shows those that no scenario notices. Of one
that nobody can notice, a comment in its line or in the line above says why: # survives drop: spec is never empty here.

Exit status: 0 all pass; 1 something does not, a line is not reached, or a mistake goes unnoticed; 2 wrong usage, no such rule,
or rules that are refused.`,
		Example: examples(e, `
# the library
waywarden rules test

# a folder, and only some of its rules
waywarden rules test policies/ --run 'acme/*'

# write down what the rules say as what is expected; read it afterwards
waywarden rules test policies/ --update

# how good the scenarios are
waywarden rules test policies/ --coverage --mutate`),
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), e, args) },
	}
	t.folder.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&t.glob, "run", "", "only rules whose ID matches, as in acme/*")
	flags.BoolVar(&t.update, "update", false, "write down what is said as what is expected")
	flags.BoolVar(&t.coverage, "coverage", false, "show the lines that no scenario reaches, and fail where there are any")
	flags.BoolVar(&t.mutate, "mutate", false, "show the mistakes that no scenario notices, and fail where there are any")
	flags.BoolVarP(&t.verbose, "verbose", "v", false, "show every case, and what the rules print")
	return cmd
}

func (t *ruleTrial) run(ctx context.Context, e *env, args []string) error {
	if t.update && len(args) == 0 {
		return errors.New("--update: what is expected of the library is part of the program. Name a folder")
	}
	if t.update {
		if err := notWritten("--update", args[0]); err != nil {
			return err
		}
	}
	pack, err := t.load(args)
	if err != nil {
		return err
	}
	only, err := choose(pack, t.glob)
	if err != nil {
		return fmt.Errorf("--run: %w", err)
	}
	results := trial.Run(pack, trial.Options{Only: only, Updating: t.update})
	tests, err := trial.RunRego(ctx, pack, trial.Options{Only: only})
	if err != nil {
		return fmt.Errorf("the tests in Rego are refused:\n%w", err)
	}
	var b strings.Builder
	status := report.StatusClean
	fail := func(failed bool) {
		if failed {
			status = report.StatusFindings
		}
	}
	fail(t.scenarios(&b, results))
	fail(t.inRego(&b, tests))
	sound := status == report.StatusClean
	fail(t.covered(&b, results))
	if sound && t.mutate { // of a rule that fails, every mutant would be noticed
		fail(mutations(&b, trial.Mutate(pack, only)))
	}
	if _, err := fmt.Fprint(e.stdout, b.String()); err != nil {
		return failed(err)
	}
	if t.update {
		if err := write(results); err != nil {
			return failed(err)
		}
	}
	return end(status)
}

// scenarios tells of cases that fail, then how many there were.
func (t *ruleTrial) scenarios(b *strings.Builder, results []trial.Result) (failed bool) {
	cases, wrong := 0, 0
	for _, r := range results {
		cases += len(r.Cases)
		for _, c := range r.Cases {
			if len(c.Problems) > 0 {
				wrong++
			}
			t.one(b, r.Rule, c)
		}
	}
	fmt.Fprintf(b, "%s, %s", plural(len(results), "rule", "rules"), plural(cases, "scenario", "scenarios"))
	if wrong > 0 {
		fmt.Fprintf(b, ": %d failed", wrong)
	}
	b.WriteByte('\n')
	return wrong > 0
}

func (t *ruleTrial) one(b *strings.Builder, r *rules.Rule, c trial.Case) {
	if len(c.Problems) == 0 {
		if t.verbose {
			fmt.Fprintf(b, "ok    %s %s\n%s", r.ID, c.Name, indentedBy(6, c.Printed))
		}
		return
	}
	fmt.Fprintf(b, "FAIL  %s %s (%s)\n", r.ID, c.Name, r.ScenarioFile)
	for _, p := range c.Problems {
		fmt.Fprintf(b, "      %s\n", p)
	}
	for _, part := range []struct{ title, text string }{{"", withoutHeader(c.Diff)}, {"why:\n", c.Why}, {"printed:\n", c.Printed}} {
		if part.text != "" {
			b.WriteString(indentedBy(6, part.title+part.text))
		}
	}
	b.WriteByte('\n')
}

// withoutHeader is a diff without the names of what is compared.
func withoutHeader(diff string) string {
	if _, rest, ok := strings.Cut(diff, "\n@@"); ok {
		return "@@" + rest
	}
	return diff
}

func indentedBy(n int, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			b.WriteString(strings.Repeat(" ", n))
		}
		b.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// inRego tells of tests in Rego.
func (t *ruleTrial) inRego(b *strings.Builder, tests []trial.Test) (failed bool) {
	wrong := 0
	for _, one := range tests {
		if one.Problem == "" {
			if t.verbose {
				fmt.Fprintf(b, "ok    %s\n%s", one.Name, indentedBy(6, one.Printed))
			}
			continue
		}
		wrong++
		fmt.Fprintf(b, "FAIL  %s (%s:%d)\n      %s\n%s", one.Name, one.File, one.Line, one.Problem, indentedBy(6, one.Why))
		if one.Printed != "" {
			b.WriteString(indentedBy(6, "printed:\n"+one.Printed))
		}
	}
	if len(tests) > 0 {
		fmt.Fprintf(b, "%s in Rego", plural(len(tests), "test", "tests"))
		if wrong > 0 {
			fmt.Fprintf(b, ": %d failed", wrong)
		}
		b.WriteByte('\n')
	}
	return wrong > 0
}

// covered tells which lines no scenario reaches.
func (t *ruleTrial) covered(b *strings.Builder, results []trial.Result) (missed bool) {
	if !t.coverage {
		return false
	}
	var all trial.Coverage
	for _, r := range results {
		all.Covered += r.Coverage.Covered
		all.Lines += r.Coverage.Lines
		if len(r.Coverage.Missed) == 0 {
			continue
		}
		fmt.Fprintf(b, "%5.1f %%  %s: no scenario reaches\n", r.Coverage.Percent(), r.Rule.ID)
		for _, s := range r.Coverage.Missed {
			fmt.Fprintf(b, "         %s:%s\n", r.Rule.File, s)
		}
		missed = true
	}
	fmt.Fprintf(b, "coverage: %.1f %% of %s\n", all.Percent(), plural(all.Lines, "line", "lines"))
	return missed
}

// mutations tells which mistakes no scenario notices.
func mutations(b *strings.Builder, all []trial.Mutation) (survived bool) {
	killed, excused, left := 0, 0, 0
	for _, m := range all {
		killed += m.Killed
		excused += len(m.Excused)
		left += len(m.Survived) + len(m.Idle)
		for _, s := range m.Survived {
			fmt.Fprintf(b, "%s:%d:%d: no scenario notices %s\n", m.Rule.File, s.Line, s.Column, s)
		}
		for _, line := range m.Idle {
			fmt.Fprintf(b, "%s:%d: this comment excuses nothing: no mutant of that kind survives here. Remove it.\n", m.Rule.File, line)
		}
	}
	fmt.Fprintf(b, "mutants: %d noticed, %d not", killed, left)
	if excused > 0 {
		fmt.Fprintf(b, ", %d excused", excused)
	}
	b.WriteByte('\n')
	return left > 0
}

// write writes down what was said as what is expected, in the files where that differs.
func write(results []trial.Result) error {
	for _, r := range results {
		before, err := os.ReadFile(r.Rule.ScenarioFile)
		if err != nil {
			return err
		}
		if after := r.Update(); string(after) != string(before) {
			if err := os.WriteFile(r.Rule.ScenarioFile, after, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
