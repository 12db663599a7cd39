package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/audit/openreports"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// reportFormats are what a report is written as.
var reportFormats = map[string]func(io.Writer, *compliance.Report) error{
	"text":         compliance.Text,
	"html":         compliance.HTML,
	"oscal":        compliance.OSCAL,
	"csv":          compliance.CSV,
	"junit":        compliance.JUnit,
	"json":         func(w io.Writer, r *compliance.Report) error { return report.JSON(w, r) },
	"openreports":  reportObjects(openreports.OpenReports),
	"policyreport": reportObjects(openreports.PolicyReport),
	"sarif":        func(w io.Writer, r *compliance.Report) error { return report.SARIF(w, r.Scan(), r.Tool.Version) },
}

// reportObjects writes the objects that the audit of a cluster would store, as a stream of YAML.
func reportObjects(api openreports.API) func(io.Writer, *compliance.Report) error {
	return func(w io.Writer, r *compliance.Report) error {
		if _, err := fmt.Fprintf(w, "# %s\n", compliance.Notice); err != nil {
			return err
		}
		o := openreports.Options{API: api, Checks: func() []*policies.Check { return r.Scan().Checks }, Unseen: openreports.Unseen{Kinds: r.Unread}}
		for _, e := range r.Errors {
			if e.Object == nil {
				o.Unseen.Errors = append(o.Unseen.Errors, e.Message)
			}
		}
		for _, p := range audit.Places(r) {
			if _, err := io.WriteString(w, "---\n"); err != nil {
				return err
			}
			if err := report.YAML(w, openreports.Render(p, o).Object); err != nil {
				return err
			}
		}
		return nil
	}
}

// reportCommand is the report command's flags.
type reportCommand struct {
	*input
	rulesets
	output     outputFlag
	frameworks []string
	file       string
	at         string
	signKey    string
}

func newReport(e *env) *cobra.Command {
	r := &reportCommand{input: newInput(), output: outputFlag{value: "text", allowed: []string{"text", "json", "html", "csv", "oscal", "sarif", "junit", "openreports", "policyreport"}}}
	cmd := &cobra.Command{
		Use:   "report [PATH... | -]",
		Short: "Say for which controls a mesh is evidence, for an auditor",
		Long: `Say for which controls of which frameworks manifests are evidence, or without a path the cluster of the current
kubeconfig, which is only read. For each control: satisfied, not satisfied, partial, exempt or not assessed, out of how
many checks and objects. A control for which no check is evidence is not assessed.

A report is evidence, not proof. The same input gives the same bytes but for the moment in it; --at or SOURCE_DATE_EPOCH
sets that too.

Exit status: 0 for a report, whatever it says; 2 wrong usage, or nothing to read; 3 something could not be read or
evaluated (the report is still written, and says so).`,
		Example: examples(e, `
# a page for an auditor, of the cluster
waywarden report -o html --out report.html

# the evidence for one framework, from files
waywarden report manifests/ --framework nist-800-53-r5

# OSCAL assessment results
waywarden report --framework nist-800-53-r5 -o oscal --out assessment-results.json

# a framework of your own
waywarden report --framework acme.yaml -o csv`),
		RunE: func(cmd *cobra.Command, paths []string) error { return r.run(cmd.Context(), e, paths) },
	}
	r.input.addFlags(cmd, "with files: the namespace of objects that name none; with a cluster: judge only this namespace")
	flags := cmd.Flags()
	r.output.add(cmd)
	r.rulesets.addFlags(cmd)
	library := flags.Lookup("zero-trust")
	library.DefValue, library.Usage, r.zeroTrust = "true", "ask the zero-trust library too", true // of a report it is the larger half
	flags.StringSliceVar(&r.frameworks, "framework", nil, "say something of this framework only: "+strings.Join(compliance.Shipped(), ", ")+", or the file of one of your own; can be repeated")
	mustComplete(cmd, "framework", cobra.FixedCompletions(compliance.Shipped(), cobra.ShellCompDirectiveDefault))
	flags.StringVar(&r.file, "out", "", "write to this file in place of standard output; {time} in its name stands for the moment that the report is of")
	flags.StringVar(&r.signKey, "sign", "", "sign the file of --out with this private key, ed25519 or ECDSA in PEM; the signature goes to FILE.intoto.json")
	flags.StringVar(&r.at, "at", "", "the moment that the report is of, as in 2026-12-01T08:00:00Z (default: SOURCE_DATE_EPOCH, else now)")
	cmd.AddCommand(newReportDiff(e), newReportVerify(e))
	return cmd
}

func (r *reportCommand) run(ctx context.Context, e *env, paths []string) error {
	if r.signKey != "" && r.file == "" {
		return errors.New("--sign: what is signed is a file. Name it with --out")
	}
	now, err := momentOf(e, r.at)
	if err != nil {
		return err
	}
	r.file = strings.ReplaceAll(r.file, "{time}", now.UTC().Format("20060102T150405Z"))
	p := e.startProgress("reading")
	made, err := r.make(ctx, e, p, paths, audit.ReportOptions{Version: programVersion(), Options: audit.Options{
		Mesh: r.mesh, Rules: audit.Rules{Now: now, MaxExemption: r.maxExemption}, Progress: p.add}})
	p.end()
	if err != nil {
		return err
	}
	if err := writeReport(e.stdout, r.file, made, reportFormats[r.output.value]); err != nil {
		return failed(err)
	}
	if r.signKey != "" {
		if err := sign(ctx, r.signKey, r.file, made); err != nil {
			return failed(err)
		}
	}
	if len(made.Errors)+len(made.Unread) > 0 {
		return end(report.StatusErrors)
	}
	return nil
}

func (r *reportCommand) make(ctx context.Context, e *env, p *progress, paths []string, opts audit.ReportOptions) (*compliance.Report, error) {
	found, err := r.read(ctx, e, p, paths)
	if err != nil {
		return nil, err
	}
	if opts.Known, opts.Checks, err = r.asked(ctx, nil, r.packs(ctx, e, &found, policies.Checks())...); err != nil {
		return nil, err
	}
	evidence, err := r.evidence.neededBy(opts.Checks)
	if err != nil {
		return nil, err
	}
	if err := r.readEvidence(ctx, e, p, &found, evidence); err != nil {
		return nil, err
	}
	if opts.Frames, err = readFrames(r.frameworks, opts.Known); err != nil {
		return nil, err
	}
	p.to("judging")
	switch {
	case found.files != nil && found.live != nil:
		opts.Source = "files and cluster"
	case found.live != nil:
		opts.Source = "cluster"
		if ns := r.namespace(); ns != "" {
			opts.Judge = func(o *mesh.Object) bool { return o.Namespace == ns || o.Kind == mesh.Namespace && o.Name == ns }
		}
	default:
		opts.Source = "files"
	}
	made := audit.Report(found.Inventory, opts)
	if found.live != nil {
		r.since(ctx, e, made)
	}
	return made, nil
}

// readFrames are the frameworks that flags name: by ID, or as files. None names all that come with the program.
func readFrames(names []string, known []*policies.Check) ([]compliance.Frame, error) {
	if len(names) == 0 {
		names = compliance.Shipped()
	}
	var out []compliance.Frame
	for _, name := range names {
		frame, ok := compliance.Find(name)
		if !ok {
			data, err := os.ReadFile(name)
			switch {
			case errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(name, "./"):
				suggestion := didYouMean(name, compliance.Shipped())
				if suggestion == "" {
					suggestion = ": there are " + strings.Join(compliance.Shipped(), ", ") + "."
				}
				return nil, fmt.Errorf("--framework: there is no framework %q%s Name one of them, or the file of one of your own", name, suggestion)
			case err != nil:
				return nil, fmt.Errorf("--framework: %w", err)
			}
			if frame, err = compliance.ReadFrame(data, known); err != nil {
				return nil, fmt.Errorf("--framework %s: %w", name, err)
			}
		}
		if !slices.ContainsFunc(out, func(f compliance.Frame) bool { return f.ID == frame.ID }) {
			out = append(out, frame)
		}
	}
	return out, nil
}

// momentOf is the moment that a report is of. https://reproducible-builds.org/specs/source-date-epoch/
func momentOf(e *env, at string) (time.Time, error) {
	if at != "" {
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return time.Time{}, fmt.Errorf("--at: %q is not a moment such as 2026-12-01T08:00:00Z", at)
		}
		return t, nil
	}
	if epoch := e.getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		var seconds int64
		if _, err := fmt.Sscan(epoch, &seconds); err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q is not a count of seconds", epoch)
		}
		return time.Unix(seconds, 0), nil
	}
	return e.now(), nil
}

// writeReport writes to a file, or to out where none is named.
func writeReport(out io.Writer, file string, r *compliance.Report, format func(io.Writer, *compliance.Report) error) error {
	if file != "" {
		return writeWhole(file, func(w io.Writer) error { return format(w, r) })
	}
	if err := format(out, r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// writeWhole writes a file whole or not at all: half a report, as a full disk would leave it, would pass for one.
func writeWhole(file string, write func(io.Writer) error) error {
	part := file + ".part"
	f, err := os.Create(part)
	if err == nil {
		if err = errors.Join(write(f), f.Close()); err == nil {
			err = os.Rename(part, file)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
