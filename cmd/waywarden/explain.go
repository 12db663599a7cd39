package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// explain is the explain command's flags.
type explain struct {
	*input
	output outputFlag
	files  []string
	rulesets
}

func newExplain(e *env) *cobra.Command {
	x := &explain{input: newInput(), output: outputFlag{value: "text", allowed: []string{"text", "json", "yaml"}}}
	cmd := &cobra.Command{
		Use:   "explain KIND/NAME [-n NAMESPACE] [-f PATH...]",
		Short: "Say what one policy does, or what guards a Service, workload, Gateway or Namespace",
		Long: `Say everything that one policy does, target by target; or everything that guards a Service, ServiceEntry, workload,
Gateway or Namespace: layer by layer on the way of a call, then the paths that go round its waypoint.

Objects are those of the files, else of the cluster of the current kubeconfig. Kinds can be written as for kubectl:
svc, services and Service are the same.

Exit status: 0 done; 2 wrong usage, no such object, or nothing to read; 3 something could not be read or evaluated.`,
		Example: examples(e, `
# what guards a Service of the cluster
waywarden explain svc/cart -n shop

# what a policy does, from files
waywarden explain authorizationpolicy/deny-delete -n shop -f manifests/

# the same for programs
waywarden explain ap/deny-delete -n shop -o json

# which policies a waypoint enforces
waywarden explain gateway waypoint -n shop`),
		Args: cobra.MatchAll(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error { return x.run(cmd.Context(), e, args) },
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			return x.complete(cmd.Context(), e, args, word)
		},
	}
	x.input.addFlags(cmd, "the object's namespace")
	x.output.add(cmd)
	x.rulesets.addFlags(cmd)
	cmd.Flags().StringArrayVarP(&x.files, "filename", "f", nil, "a file, a folder, or - for standard input; can be repeated (default: the cluster)")
	return cmd
}

func explainable(k mesh.Kind) bool {
	switch k {
	case mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry, mesh.Gateway, mesh.Namespace, mesh.Pod, mesh.Deployment,
		mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Job, mesh.CronJob:
		return true
	}
	return k.IsPolicy()
}

// wanted is the object that is asked about.
type wanted struct {
	kinds           []mesh.Kind
	namespace, name string // namespace "" where it is not said
}

// parse reads KIND/NAME, KIND NAME, or what messages print: Kind namespace/name.
func parse(args []string, namespace string) (wanted, error) {
	kind, name, ok := args[0], "", false
	if len(args) == 2 {
		name, ok = args[1], true
		if ns, n, both := strings.Cut(name, "/"); both {
			namespace, name = ns, n
		}
	} else {
		kind, name, ok = strings.Cut(args[0], "/")
	}
	if !ok || kind == "" || name == "" {
		return wanted{}, fmt.Errorf("%q does not name an object: write KIND/NAME, as in service/cart", strings.Join(args, " "))
	}
	kinds, err := kindsNamed(kind)
	if err != nil {
		return wanted{}, err
	}
	nothing := kinds[0]
	if kinds = slices.DeleteFunc(kinds, func(k mesh.Kind) bool { return !explainable(k) }); len(kinds) == 0 {
		return wanted{}, fmt.Errorf("there is nothing to explain about a %s.%s: name a policy, a Service, a ServiceEntry, a workload, a Gateway of the Gateway API or a Namespace", nothing, nothing.Group())
	}
	return wanted{kinds, namespace, name}, nil
}

func (x *explain) run(ctx context.Context, e *env, args []string) error {
	want, err := parse(args, x.namespace())
	if err != nil {
		return err
	}
	p := e.startProgress("reading")
	found, err := x.read(ctx, e, p, x.files)
	if err != nil {
		p.end()
		return err
	}
	if want.namespace == "" && found.live != nil {
		if want.namespace, _, err = x.kube.ToRawKubeConfigLoader().Namespace(); err != nil {
			want.namespace = ""
		}
	}
	known, _, err := x.asked(ctx, nil, x.packs(ctx, e, &found, policies.Checks())...)
	if err != nil {
		p.end()
		return err
	}
	p.to("judging")
	x.mesh.Unread = found.Hidden()
	s := mesh.New(x.mesh, found.Objects...)
	o, err := want.in(s)
	if err != nil {
		p.end()
		if len(found.Problems) > 0 {
			err = fmt.Errorf("%w\nnot everything could be read: %w", err, found.Problems[0])
		}
		return err
	}
	rules := x.rules(e)
	rules.Checks = known
	explanation := audit.Explain(found.Inventory, s, o, rules)
	p.end()
	if err := x.write(e, explanation); err != nil {
		return failed(fmt.Errorf("write the explanation: %w", err))
	}
	if len(explanation.Errors)+len(explanation.Unread) > 0 {
		return end(report.StatusErrors)
	}
	return nil
}

func (x *explain) write(e *env, explanation *report.Explanation) error {
	if x.output.value == "text" {
		style := e.style(e.stdout)
		style.Again = x.again(x.files)
		return report.ExplanationText(e.stdout, explanation, style)
	}
	return x.output.write(e.stdout, explanation)
}

// in finds the object. Where no namespace is said and one has the name, that one is meant.
func (w wanted) in(s *mesh.Snapshot) (*mesh.Object, error) {
	var (
		elsewhere []*mesh.Object
		names     []string
	)
	for _, k := range w.kinds {
		for o := range s.All(k) {
			switch {
			case o.Name == w.name && (w.namespace == "" || !k.Namespaced() || o.Namespace == w.namespace):
				if w.namespace != "" || !k.Namespaced() {
					return o, nil
				}
				elsewhere = append(elsewhere, o)
			case o.Name == w.name:
				elsewhere = append(elsewhere, o)
			case w.namespace == "" || o.Namespace == w.namespace:
				names = append(names, o.Name)
			}
		}
	}
	switch {
	case len(elsewhere) == 1 && w.namespace == "":
		return elsewhere[0], nil
	case len(elsewhere) > 0 && w.namespace == "":
		return nil, fmt.Errorf("%d are called %s: %s. Choose one with -n", len(elsewhere), w.name, listed(elsewhere))
	case len(elsewhere) > 0:
		return nil, fmt.Errorf("there is no %s %s in namespace %s; there is %s", w.kinds[0], w.name, w.namespace, listed(elsewhere))
	}
	where := ""
	if w.namespace != "" && w.kinds[0].Namespaced() {
		where = " in namespace " + w.namespace
	}
	if near := didYouMean(w.name, names); near != "" {
		return nil, fmt.Errorf("there is no %s %s%s%s", w.kinds[0], w.name, where, near)
	}
	if len(names) == 0 {
		return nil, errors.New("there is no " + w.kinds[0].String() + where + " at all")
	}
	return nil, fmt.Errorf("there is no %s %s%s", w.kinds[0], w.name, where)
}

func listed(objects []*mesh.Object) string {
	var names []string
	for _, o := range objects {
		names = append(names, o.String())
	}
	return strings.Join(names, ", ")
}
