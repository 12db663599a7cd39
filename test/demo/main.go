// Command demo shows Waywarden at work on the cluster of `make demo-cluster`, which has the chart's objects: it applies the shop
// and the bank, then does what is denied, warned about and repaired, has a waypoint made, and prints each command, as one would
// type it, with the answer of the API server.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/test/cluster"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	top, err := cluster.Root()
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(top, "bin", "kubeconfig")
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("no cluster: %w. Start one: make demo-cluster", err)
	}
	if err := show(ctx, cfg, top, out); err != nil {
		return err
	}
	fmt.Fprintf(out, `
The cluster goes on running. Try it, with kubectl:

  export KUBECONFIG=%s
  kubectl get guardrails,exemptions -A
  kubectl get events.events.k8s.io -n shop
  kubectl get gateways,authorizationpolicies -n ledger
  kubectl label namespace shop istio.io/use-waypoint-

and without: bin/waywarden scan --kubeconfig %[1]s

Where its log and its metrics are: make cluster-status
Stop it, with all that it started:  make cluster-down
`, kubeconfig)
	return nil
}

// pace is the pause after a command, as of somebody who types: what a command changed reaches every watch meanwhile.
const pace = time.Second

// show goes through the session. The error is for what is no answer of the API server.
func show(ctx context.Context, cfg *rest.Config, top string, out io.Writer) error {
	k, err := newKubectl(cfg, top, out)
	if err != nil {
		return err
	}
	if err := k.unused(ctx); err != nil {
		return err
	}
	for _, s := range session(time.Now()) {
		fmt.Fprintln(out)
		if s.say != "" {
			fmt.Fprintln(out, "# "+s.say)
		}
		fmt.Fprintln(out, "$ kubectl "+s.command+heredoc(s.stdin))
		err := k.run(ctx, s.command, s.stdin)
		if err != nil {
			text, ok := refusal(err)
			if !ok {
				return fmt.Errorf("kubectl %s: %w", s.command, err)
			}
			fmt.Fprintln(out, text)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pace):
		}
	}
	return nil
}

// unused is an error on a cluster that has a shop: on what the session left behind, half of what it says would not be so.
func (k *kubectl) unused(ctx context.Context) error {
	m, name, err := k.mapping("namespace/shop")
	if err != nil {
		return err
	}
	_, err = k.client(m, "").Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		return errors.New("this cluster has a shop already. Begin anew: make cluster-down demo-cluster")
	}
	return client.IgnoreNotFound(err)
}

func heredoc(text string) string {
	if text == "" {
		return ""
	}
	return " <<'EOF'\n" + strings.TrimSuffix(text, "\n") + "\nEOF"
}
