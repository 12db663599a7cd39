package serving

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/webhook"
)

// Admission is one replica that a cluster's API server asks.
type Admission struct {
	*Replica
	balancer *Balancer
}

// Admit registers Waywarden in a cluster and starts a replica of a binary, whose log goes to a folder, with flags besides. When it
// returns, what Waywarden would refuse is refused. The caller stops it.
func Admit(ctx context.Context, c *cluster.Cluster, binary, dir string, flags ...string) (*Admission, error) {
	balancer, err := Balance()
	if err != nil {
		return nil, err
	}
	if err := Register(ctx, c, balancer.URL()); err != nil {
		return nil, errors.Join(err, balancer.Close())
	}
	return admit(ctx, c, balancer, func() (*Replica, error) {
		// Nobody else is there who could answer while it stops.
		return Start(binary, c.Kubeconfig, dir, append([]string{"--drain", "0s"}, flags...)...)
	})
}

// admit starts a replica behind a balancer, and waits until the API server asks it. After an error nothing is left of either.
func admit(ctx context.Context, c *cluster.Cluster, balancer *Balancer, start func() (*Replica, error)) (*Admission, error) {
	r, err := start()
	if err != nil {
		return nil, errors.Join(err, balancer.Close())
	}
	a := &Admission{r, balancer}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := r.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, a.Stop())
	}
	balancer.Add(r.Addr)
	if err := InForce(ctx, c); err != nil {
		return nil, errors.Join(err, a.Stop())
	}
	return a, nil
}

// stopTimeout is how long a replica may take to stop.
const stopTimeout = 5 * time.Second

// Stop stops the replica, and kills it where it does not.
func (a *Admission) Stop() error {
	if err := a.Terminate(); err == nil {
		timer := time.AfterFunc(stopTimeout, func() { _ = a.cmd.Process.Kill() }) // gone meanwhile is as good
		defer timer.Stop()
	}
	_ = a.Wait() // how it ended no longer matters to anybody
	return a.balancer.Close()
}

// InForce waits until the API server asks Waywarden: until a canary is refused.
func InForce(ctx context.Context, c *cluster.Cluster) error {
	canary := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
		"metadata": map[string]any{"name": "probe", "namespace": Namespace, "labels": map[string]any{webhook.CanaryLabel: "true"}}}}
	policies := c.Dynamic.Resource(schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "authorizationpolicies"}).Namespace(Namespace)
	for {
		_, err := policies.Create(ctx, canary, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsInvalid(err) && strings.Contains(err.Error(), webhook.CanaryMessage) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("admission is not in force: %w (%v)", ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
