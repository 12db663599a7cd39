package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/report"
	_ "github.com/waywarden/waywarden/policies/checks" // the built-in checks register themselves
)

// run is the whole program: arguments in, exit status out.
func run(ctx context.Context, e *env, args []string) int {
	e.program = programName(args[0])
	root := newRoot(e)
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	var end *exit
	switch {
	case err == nil:
		return report.StatusClean
	case errors.As(err, &end):
		if end.err != nil {
			fmt.Fprintf(e.stderr, "error: %v\n", end.err)
		}
		return end.status
	}
	fmt.Fprintf(e.stderr, "error: %v\n", err)
	return report.StatusUsage
}

// exit is an error that carries the status to end with. A plain error is one of usage.
type exit struct {
	status int
	err    error // nil where everything is said already
}

func (x *exit) Error() string {
	if x.err == nil {
		return fmt.Sprintf("exit status %d", x.status)
	}
	return x.err.Error()
}

func (x *exit) Unwrap() error { return x.err }

// failed is something that was asked for rightly and could not be done.
func failed(err error) error { return &exit{report.StatusErrors, err} }

// end ends with a status and says nothing more.
func end(status int) error {
	if status == report.StatusClean {
		return nil
	}
	return &exit{status: status}
}

// onlyCommands refuses what is no subcommand, and says what may have been meant.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	suggestion := didYouMean(args[0], names)
	if suggestion == "" {
		suggestion = "."
	}
	return fmt.Errorf("there is no command %q%s See %s --help", args[0], suggestion, cmd.CommandPath())
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "waywarden",
		Short: "Say what every Istio policy really does",
		Long: `Waywarden says what every Istio policy really does: who enforces it, with which verdict, and why.

In ambient mode a policy on methods or paths without a waypoint does nothing, or denies everything, and nobody
is told. Waywarden tells, from files before they are applied or from a cluster, and says what to do about it.`,
		Example: examples(e, `
# judge the manifests of a folder
waywarden scan manifests/

# judge what a Helm chart renders
helm template charts/shop | waywarden scan -

# judge the cluster of the current context, read-only
waywarden scan

# ask what guards a Service, layer by layer
waywarden explain service/cart -n shop`),
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: e.program},
		Args:              onlyCommands,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w. See %s --help", err, cmd.CommandPath())
	})
	cobra.AddTemplateFunc("ownFlags", ownFlags)
	cobra.AddTemplateFunc("clusterFlags", clusterFlags)
	root.AddCommand(newScan(e), newExplain(e), newPlan(e), newFix(e), newReport(e), newServe(e), newChecks(e), newRules(e), newVersion(e), newCompletion(e))
	return root
}
