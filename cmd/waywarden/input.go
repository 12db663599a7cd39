package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// input are the flags that say what a command looks at: files, a cluster, or files completed from one.
type input struct {
	kube     *genericclioptions.ConfigFlags
	maxBytes bytesFlag
	live     bool
	mesh     mesh.Options
	// maxExemption is how far ahead an Exemption may end.
	maxExemption time.Duration
	// set are the flags that were set.
	set *pflag.FlagSet
}

func newInput() *input {
	return &input{kube: genericclioptions.NewConfigFlags(true), maxBytes: manifest.DefaultMaxBytes}
}

// addFlags adds the flags; namespace is the help text of -n, which means something else in every command.
func (in *input) addFlags(cmd *cobra.Command, namespace string) {
	cluster := pflag.NewFlagSet("", pflag.ContinueOnError)
	in.kube.AddFlags(cluster)
	cluster.VisitAll(func(f *pflag.Flag) {
		if f.Name == "namespace" {
			f.Usage = namespace
			return
		}
		f.Annotations = map[string][]string{clusterFlag: nil}
		if f.Name == "cache-dir" || f.Name == "disable-compression" {
			f.Hidden = true
		}
	})
	flags := cmd.Flags()
	in.set = flags
	flags.AddFlagSet(cluster)
	flags.Var(&in.maxBytes, "max-bytes", "refuse files that are larger than this")
	flags.BoolVar(&in.live, "live", false, "complete the files from the cluster, as if they were applied to it")
	flags.BoolVar(&in.mesh.AssumeAmbient, "assume-ambient", false, "judge namespaces whose Namespace object is not in the input as enrolled in ambient mode, and whole")
	flags.DurationVar(&in.maxExemption, "max-exemption", decide.DefaultMaxDuration, "how far ahead an Exemption may end, as the installation is set up")
	flags.StringVar(&in.mesh.IstioVersion, "istio-version", "", "judge as this Istio would, as in 1.30 (default: istiod's image tag, else 1.31)")
	flags.StringVar(&in.mesh.RootNamespace, "root-namespace", "", "Istio's root namespace (default: as the istio ConfigMap says, else istio-system)")
	flags.StringVar(&in.mesh.TrustDomain, "trust-domain", "", "the mesh's trust domain (default: as the istio ConfigMap says, else cluster.local)")
	flags.StringVar(&in.mesh.ClusterDomain, "cluster-domain", "", "the cluster's DNS domain (default: cluster.local)")
	mustComplete(cmd, "istio-version", cobra.FixedCompletions(readVersion().IstioVersions, cobra.ShellCompDirectiveNoFileComp))
}

// again is how another command looks at the same; nil where it cannot, because standard input is gone.
func (in *input) again(paths []string) *report.Again {
	if slices.Contains(paths, "-") {
		return nil
	}
	a := &report.Again{Paths: paths}
	in.set.Visit(func(f *pflag.Flag) {
		switch f.Name { // those that every command has; no credentials, which nobody wants to see printed
		case "live", "assume-ambient":
			a.Flags = append(a.Flags, "--"+f.Name+"="+f.Value.String())
		case "max-bytes", "max-exemption", "istio-version", "root-namespace", "trust-domain", "cluster-domain", "context", "kubeconfig":
			a.Flags = append(a.Flags, "--"+f.Name, f.Value.String())
		}
	})
	return a
}

// rules are what Guardrails and Exemptions are applied with.
func (in *input) rules(e *env) audit.Rules {
	return audit.Rules{Now: e.now(), MaxExemption: in.maxExemption}
}

func (in *input) namespace() string { return *in.kube.Namespace }

func (in *input) validate() error {
	if v := in.mesh.IstioVersion; v != "" {
		if _, ok := mesh.ParseVersion(v); !ok {
			return fmt.Errorf("--istio-version: %q is not a version such as 1.30 or 1.31.1", v)
		}
	}
	return nil
}

// objects are what a command looks at.
type objects struct {
	*inventory.Inventory
	// files and live are what Inventory was made of; nil where it was not.
	files, live *inventory.Inventory
}

// read reads the paths; the cluster, if there are none; or both with --live.
func (in *input) read(ctx context.Context, e *env, p *progress, paths []string) (objects, error) {
	if err := in.validate(); err != nil {
		return objects{}, err
	}
	var (
		out objects
		err error
	)
	if len(paths) > 0 {
		p.to("reading files")
		out.files, err = inventory.Files(inventory.FileOptions{MaxBytes: int64(in.maxBytes), Stdin: e.stdin, DefaultNamespace: in.namespace()}, paths...)
		if err != nil {
			return objects{}, err
		}
		out.Inventory = out.files
		if !in.live {
			return out, nil
		}
	}
	out.live, err = in.list(ctx, e, p, inventory.ListOptions{})
	if err != nil {
		return objects{}, err
	}
	in.mesh.Unprovided = audit.Unprovided(out.live)
	out.Inventory = out.live
	if out.files != nil {
		out.Inventory = out.files.CompletedBy(out.live)
	}
	return out, nil
}

// readEvidence reads what the checks need of a cluster that decides nothing in a mesh. Which checks there are is known only
// when the rest was read, because RulePacks are in it.
func (in *input) readEvidence(ctx context.Context, e *env, p *progress, found *objects, evidence inventory.Evidence) error {
	if found.live == nil || evidence.Empty() {
		return nil
	}
	more, err := in.list(ctx, e, p, inventory.ListOptions{Evidence: evidence, OnlyEvidence: true})
	if err != nil {
		return err
	}
	found.Inventory, found.live = found.Inventory.With(more), found.live.With(more)
	return nil
}

func (in *input) list(ctx context.Context, e *env, p *progress, opts inventory.ListOptions) (*inventory.Inventory, error) {
	cfg, err := in.cluster(e)
	if err != nil {
		return nil, err
	}
	// Where kinds may not be listed everywhere, they are in the namespace that kubectl would ask.
	namespace, _, err := in.kube.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig: %w", err)
	}
	p.to("reading the cluster")
	opts.Namespace, opts.Progress = namespace, func(_ string, n int) {
		p.to(fmt.Sprintf("reading the cluster: %d objects", n))
	}
	live, err := inventory.List(ctx, cfg, opts)
	if err != nil {
		return nil, failed(err)
	}
	return live, nil
}

// cluster is how to reach the cluster that the kubeconfig and the flags name.
func (in *input) cluster(e *env) (*rest.Config, error) {
	loader := in.kube.ToRawKubeConfigLoader()
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if len(raw.Clusters) == 0 && *in.kube.APIServer == "" && e.getenv("KUBERNETES_SERVICE_HOST") == "" {
		return nil, errors.New("nothing to read: no path was given, and there is no kubeconfig that names a cluster. Name files or folders, or set --kubeconfig")
	}
	if name := *in.kube.Context; name != "" && raw.Contexts[name] == nil {
		var names []string
		for n := range raw.Contexts {
			names = append(names, n)
		}
		slices.Sort(names)
		return nil, fmt.Errorf("the kubeconfig has no context %q%s", name, didYouMean(name, names))
	}
	cfg, err := in.kube.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig: %w", err)
	}
	cfg.UserAgent = "waywarden/" + programVersion()
	return cfg, nil
}
