package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
)

// planning is the plan command's flags.
type planning struct {
	*input
	output outputFlag
}

func newPlan(e *env) *cobra.Command {
	p := &planning{input: newInput(), output: outputFlag{value: "yaml", allowed: []string{"yaml", "json"}}}
	cmd := &cobra.Command{
		Use:   "plan [PATH... | -]",
		Short: "Print the waypoints that policies need, as YAML to commit",
		Long: `Print the waypoints that policies need, as YAML to commit; of manifests, or without a path of the cluster of the current
kubeconfig, which is only read.

A waypoint is needed where a policy would be stronger with it than it is. Comments say which policies ask for each object,
and everything else that will change. Gateways come first and labels last: set a label when its waypoint is Programmed.
What has to stand beside a label that is set already comes before its Gateway: that binds as soon as it is ready.
Where nothing is needed, nothing is printed but a line on stderr.

Exit status: 0 done, whether something is needed or not; 2 wrong usage, or nothing to read; 3 something could not be read.`,
		Example: examples(e, `
# the waypoints that manifests need
waywarden plan manifests/

# those that a pull request needs in the cluster that it is for
waywarden plan manifests/ --live > waypoints.yaml

# which policies ask for them, and what changes, for programs
waywarden plan -o json`),
		RunE: func(cmd *cobra.Command, paths []string) error { return p.run(cmd.Context(), e, paths) },
	}
	p.addFlags(cmd, "with files: the namespace of objects that name none")
	p.output.add(cmd)
	return cmd
}

func (p *planning) run(ctx context.Context, e *env, paths []string) error {
	bar := e.startProgress("reading")
	found, err := p.read(ctx, e, bar, paths)
	if err != nil {
		bar.end()
		return err
	}
	bar.to("planning")
	result := audit.Plan(found.Inventory, p.mesh)
	bar.end()
	if err := p.write(e, result); err != nil {
		return failed(fmt.Errorf("write the plan: %w", err))
	}
	if len(result.Errors)+len(result.Unread) > 0 {
		return end(report.StatusErrors)
	}
	return nil
}

func (p *planning) write(e *env, result *report.Plan) error {
	if p.output.value == "json" {
		return report.JSON(e.stdout, result)
	}
	if err := report.PlanYAML(e.stdout, result); err != nil {
		return err
	}
	if err := report.PlanNotes(e.stderr, result, e.style(e.stderr)); err != nil {
		return err
	}
	switch {
	case !result.Nothing():
	case len(result.Blocked)+len(result.Waypoints)+len(result.Unplanned) > 0:
		fmt.Fprintln(e.stderr, "no waypoint is to be made.")
	default:
		fmt.Fprintln(e.stderr, "no waypoint is needed: no policy would be stronger with one more.")
	}
	return nil
}
