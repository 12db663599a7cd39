package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/inventory"
)

// completionTimeout is how long somebody waits for the tab key.
const completionTimeout = 3 * time.Second

// complete completes kinds, and then names from the files or the cluster.
func (x *explain) complete(ctx context.Context, e *env, args []string, word string) ([]string, cobra.ShellCompDirective) {
	kind, _, slash := strings.Cut(word, "/")
	switch {
	case len(args) == 0 && !slash:
		var out []string
		for _, k := range kindWords() {
			out = append(out, k+"/")
		}
		return out, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	case len(args) == 1 && !strings.Contains(args[0], "/"):
		return x.names(ctx, e, args[0], ""), cobra.ShellCompDirectiveNoFileComp
	case len(args) == 0:
		return x.names(ctx, e, kind, kind+"/"), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (x *explain) names(ctx context.Context, e *env, kind, prefix string) []string {
	kinds, err := kindsNamed(kind)
	if err != nil || slices.Contains(x.files, "-") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	quiet := *e
	quiet.stderr, quiet.stdin = io.Discard, strings.NewReader("")
	p := quiet.startProgress("reading")
	defer p.end()
	namespace := x.namespace()
	found, err := x.read(ctx, &quiet, p, x.files)
	if err != nil {
		return nil
	}
	if namespace == "" && found.live != nil {
		if ns, _, err := x.kube.ToRawKubeConfigLoader().Namespace(); err == nil {
			namespace = ns
		}
	}
	return namesIn(found.Inventory, kinds[0].String(), namespace, prefix)
}

func namesIn(inv *inventory.Inventory, kind, namespace, prefix string) []string {
	var out []string
	for _, o := range inv.Objects {
		if o.Kind.String() == kind && (namespace == "" || o.Namespace == "" || o.Namespace == namespace) {
			out = append(out, prefix+o.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
