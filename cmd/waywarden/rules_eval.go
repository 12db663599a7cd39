package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/trial"
)

// ruleEval is the rules eval command's flags.
type ruleEval struct {
	*input
	ruleFolder
	files []string
	full  bool
	reads evidenceFlags
}

func newRulesEval(e *env) *cobra.Command {
	x := &ruleEval{input: newInput()}
	cmd := &cobra.Command{
		Use:   "eval ID KIND/NAME [-n NAMESPACE] [-f PATH...]",
		Short: "Ask one rule about one object, and show why it says what it says",
		Long: `Ask one rule about one object of the files, else of the cluster of the current kubeconfig, which is only read. It shows what the
rule finds; which of its clauses hold, with which values, or at which expression they stop; and what it prints.

Exit status: 0 nothing is found; 1 something is; 2 wrong usage, no such rule or object, or rules that are refused; 3 something
could not be read, or the rule has no answer.`,
		Example: examples(e, `
waywarden rules eval zero-trust/mtls/mesh-default-strict peerauthentication/default -n istio-system

waywarden rules eval acme/no-latest deployment/cart -n shop --rules policies/ -f manifests/ --trace`),
		RunE: func(cmd *cobra.Command, args []string) error { return x.run(cmd.Context(), e, args) },
	}
	x.ruleFolder.add(cmd)
	x.addFlags(cmd, "the object's namespace")
	x.reads.add(cmd)
	cmd.Args = cobra.RangeArgs(2, 3)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return x.ruleFolder.complete()
		}
		names := &explain{input: x.input, files: x.files}
		return names.complete(cmd.Context(), e, args[1:], word)
	}
	cmd.Flags().StringArrayVarP(&x.files, "filename", "f", nil, "a file, a folder, or - for standard input; can be repeated (default: the cluster)")
	cmd.Flags().BoolVar(&x.full, "trace", false, "show every step of the evaluation")
	return cmd
}

func (x *ruleEval) run(ctx context.Context, e *env, args []string) error {
	pack, err := x.load(x.args())
	if err != nil {
		return err
	}
	r, err := ruleNamed(pack, args[0])
	if err != nil {
		return err
	}
	want, err := named(args[1:], x.namespace())
	if err != nil {
		return err
	}
	evidence, err := x.reads.neededBy(pack.Checks())
	if err != nil {
		return err
	}
	p := e.startProgress("reading")
	found, err := x.read(ctx, e, p, x.files)
	if err == nil {
		err = x.readEvidence(ctx, e, p, &found, evidence)
	}
	p.end()
	if err != nil {
		return err
	}
	if want.namespace == "" && found.live != nil {
		if want.namespace, _, err = x.kube.ToRawKubeConfigLoader().Namespace(); err != nil {
			want.namespace = ""
		}
	}
	x.mesh.Unread = found.Hidden()
	snapshot := mesh.New(x.mesh, found.Objects...)
	o, err := want.in(snapshot)
	if err != nil {
		return err
	}
	if !slices.Contains(r.Kinds, o.Kind) {
		return fmt.Errorf("%s is not asked of a %s: it is asked of %s", r.ID, o.Kind, kindsOf(r))
	}
	view := policies.NewView(snapshot)
	view.Occasion.Now = e.now()
	answer := trial.Eval(pack, r, view, o, x.full)
	if _, err := fmt.Fprint(e.stdout, evaluated(r, o, answer)); err != nil {
		return failed(err)
	}
	for _, problem := range found.Problems {
		fmt.Fprintf(e.stderr, "not read: %v\n", problem)
	}
	switch {
	case len(answer.Outcome.Failures)+len(found.Problems) > 0:
		return end(report.StatusErrors)
	case len(answer.Outcome.Findings) > 0:
		return end(report.StatusFindings)
	}
	return nil
}

// named is the object that arguments name, of any kind.
func named(args []string, namespace string) (wanted, error) {
	kind, name, ok := strings.Cut(args[0], "/")
	if len(args) == 2 {
		kind, name, ok = args[0], args[1], true
		if ns, n, both := strings.Cut(name, "/"); both {
			namespace, name = ns, n
		}
	}
	if !ok || kind == "" || name == "" {
		return wanted{}, fmt.Errorf("%q does not name an object: write KIND/NAME, as in service/cart", strings.Join(args, " "))
	}
	kinds, err := kindsNamed(kind)
	return wanted{kinds, namespace, name}, err
}

func kindsOf(r *rules.Rule) string {
	var out []string
	for _, k := range r.Kinds {
		out = append(out, rules.KindName(k))
	}
	return strings.Join(out, ", ")
}

func evaluated(r *rules.Rule, o *mesh.Object, a trial.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s says of %s:\n%s", r.ID, o, indentedBy(2, a.Outcome.Text))
	for _, part := range []struct{ title, text string }{{"why", a.Why}, {"trace", a.Trace}, {"printed", a.Printed}} {
		if part.text != "" {
			fmt.Fprintf(&b, "\n%s:\n%s", part.title, indentedBy(2, part.text))
		}
	}
	return b.String()
}
