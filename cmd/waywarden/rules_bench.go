package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/rules/trial"
)

func newRulesBench(e *env) *cobra.Command {
	var (
		in   folder
		glob string
		long time.Duration
	)
	cmd := &cobra.Command{
		Use:   "bench [DIR]",
		Short: "Measure what rules cost: time and allocations, in the format of Go's benchmarks",
		Long: `Measure what it costs to ask each rule about one object of its scenarios: the mean time, the median, the 99th percentile, and
what is allocated. The lines are in the format of Go's benchmarks, so that benchstat compares two runs.`,
		Example: examples(e, `
waywarden rules bench policies/

# before and after a change
waywarden rules bench policies/ > before.txt
waywarden rules bench policies/ > after.txt
benchstat before.txt after.txt`),
		RunE: func(_ *cobra.Command, args []string) error {
			pack, err := in.load(args)
			if err != nil {
				return err
			}
			only, err := choose(pack, glob)
			if err != nil {
				return fmt.Errorf("--run: %w", err)
			}
			if err := trial.WriteHeader(e.stdout); err != nil {
				return failed(err)
			}
			if err := trial.Bench(pack, only, long, func(b trial.Benchmark) error { return b.Write(e.stdout) }); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	in.add(cmd)
	cmd.Flags().StringVar(&glob, "run", "", "only rules whose ID matches, as in acme/*")
	cmd.Flags().DurationVar(&long, "time", 200*time.Millisecond, "how long to ask each rule")
	return cmd
}
