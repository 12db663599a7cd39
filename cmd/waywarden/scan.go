package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// scan is the scan command's flags.
type scan struct {
	*input
	rulesets
	output   outputFlag
	failOn   choice
	globs    []string
	baseline string
}

func newScan(e *env) *cobra.Command {
	s := &scan{
		input:  newInput(),
		output: outputFlag{value: "text", allowed: []string{"text", "json", "yaml", "sarif", "junit", "github"}},
		failOn: choice{value: "high", allowed: []string{"critical", "high", "medium", "low", "never"}},
	}
	cmd := &cobra.Command{
		Use:   "scan [PATH... | -]",
		Short: "Judge manifests, or a cluster",
		Long: `Judge manifests, or without a path the cluster of the current kubeconfig, which is only read.

A path is a file, a folder with everything below it, or - for standard input. What is not in the input is not guessed:
a namespace is judged as a whole when its Namespace object is in the input, and is otherwise taken as not known.

Guardrails and Exemptions among the manifests, or in the cluster, apply as they would in a cluster: what they deny fails
whatever its severity, what they only audit never does, and what is exempt is shown and does not.

Exit status: 0 clean; 1 findings that are denied, or at or above --fail-on; 2 wrong usage, or nothing to read;
3 something could not be read or evaluated (everything else is still printed; 3 beats 1).`,
		Example: examples(e, `
# judge a folder of manifests
waywarden scan manifests/

# judge a pull request against what is in the cluster
waywarden scan manifests/ --live

# judge what a chart renders, for code scanning
helm template charts/shop | waywarden scan - -o sarif > waywarden.sarif

# annotate a pull request, and fail only for what is new
waywarden scan manifests/ -o json --fail-on never > baseline.json
waywarden scan manifests/ -o github --baseline baseline.json

# judge one namespace of a cluster; all others are read, because they decide too
waywarden scan --context production -n shop

# ask only some checks
waywarden scan manifests/ --check 'effect/*'

# ask the zero-trust library, and rules of your own
waywarden scan manifests/ --zero-trust --rules policies/rego`),
		RunE: func(cmd *cobra.Command, paths []string) error { return s.run(cmd.Context(), e, paths) },
	}
	s.input.addFlags(cmd, "with files: the namespace of objects that name none; with a cluster: judge only this namespace")
	flags := cmd.Flags()
	s.output.add(cmd)
	flags.Var(&s.failOn, "fail-on", "end with status 1 for findings of this severity or a worse one: critical, high, medium, low, never")
	mustComplete(cmd, "fail-on", s.failOn.complete)
	flags.StringArrayVar(&s.globs, "check", nil, "ask only checks whose ID matches, as in effect/*; can be repeated")
	mustComplete(cmd, "check", completeChecks)
	s.rulesets.addFlags(cmd)
	flags.StringVar(&s.baseline, "baseline", "", "a saved -o json: fail only for what is not in it")
	return cmd
}

func (s *scan) run(ctx context.Context, e *env, paths []string) error {
	var (
		baseline report.Baseline
		err      error
	)
	if s.baseline != "" {
		if baseline, err = readBaseline(s.baseline); err != nil {
			return err
		}
	}
	p := e.startProgress("reading")
	result, err := s.evaluate(ctx, e, p, paths)
	p.end()
	if err != nil {
		return err
	}
	baseline.Mark(result)
	if err := s.write(e, result, paths); err != nil {
		return failed(fmt.Errorf("write the result: %w", err))
	}
	return end(result.Status(policies.Severity(s.failOn.value)))
}

func (s *scan) evaluate(ctx context.Context, e *env, p *progress, paths []string) (*report.ScanResult, error) {
	found, err := s.read(ctx, e, p, paths)
	if err != nil {
		return nil, err
	}
	var opts audit.Options
	if opts.Known, opts.Checks, err = s.asked(ctx, s.globs, s.packs(ctx, e, &found, policies.Checks())...); err != nil {
		return nil, err
	}
	if len(policies.AboutObjects(opts.Checks)) == 0 {
		return nil, fmt.Errorf("--check: %s asks what a change does, which only admission knows; a scan has nothing to ask it of", opts.Checks[0].ID)
	}
	evidence, err := s.evidence.neededBy(opts.Checks)
	if err != nil {
		return nil, err
	}
	if err := s.readEvidence(ctx, e, p, &found, evidence); err != nil {
		return nil, err
	}
	p.to("judging")
	opts.Mesh, opts.Rules, opts.Progress = s.mesh, s.rules(e), p.add
	switch {
	case found.files != nil && found.live != nil:
		p.to("judging files against the cluster")
		opts.Before = found.live
	case found.live != nil && s.namespace() != "":
		opts.Judge = func(o *mesh.Object) bool {
			return o.Namespace == s.namespace() || o.Kind == mesh.Namespace && o.Name == s.namespace()
		}
	}
	return audit.Scan(found.Inventory, opts), nil
}

func readBaseline(file string) (report.Baseline, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--baseline: %w", err)
	}
	b, err := report.ReadBaseline(data)
	if err != nil {
		return nil, fmt.Errorf("--baseline %s: %w", file, err)
	}
	return b, nil
}

func (s *scan) write(e *env, r *report.ScanResult, paths []string) error {
	failOn := policies.Severity(s.failOn.value)
	switch s.output.value {
	case "sarif":
		return report.SARIF(e.stdout, r, programVersion())
	case "junit":
		return report.JUnit(e.stdout, r, failOn)
	case "github":
		return report.GitHub(e.stdout, r, failOn)
	case "text":
		style := e.style(e.stdout)
		if style.Again = s.again(paths); style.Again != nil {
			style.Again.Namespace = s.namespace()
		}
		return report.Text(e.stdout, r, style)
	}
	return s.output.write(e.stdout, r)
}
