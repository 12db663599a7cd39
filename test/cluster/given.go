package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// KubeconfigEnv names a kubeconfig of a cluster that tests use instead of starting one. That cluster
// must have the CRDs of Istio and the Gateway API, and istiod where a test asks for it.
const KubeconfigEnv = "WAYWARDEN_TEST_KUBECONFIG"

// IstiodEnv is the HTTP address of istiod in that cluster, for tests that read its /debug pages.
const IstiodEnv = "WAYWARDEN_TEST_ISTIOD"

// IstiodXDSEnv is its gRPC address without TLS, for tests that connect as a waypoint's proxy.
const IstiodXDSEnv = "WAYWARDEN_TEST_ISTIOD_XDS"

func given(file string) (*Cluster, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		return nil, fmt.Errorf("read %s from %s: %w", file, KubeconfigEnv, err)
	}
	cfg.QPS, cfg.Burst = -1, 0 // client-go's five requests a second are for controllers
	c := &Cluster{Config: cfg, Kubeconfig: file, IstiodURL: os.Getenv(IstiodEnv), IstiodXDS: os.Getenv(IstiodXDSEnv), ledger: &ledger{}}
	return c, c.connect()
}

// made is an object that was not there before it was applied to a cluster that was given.
type made struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

// ledger is what was made in a cluster that was given.
type ledger struct {
	sync.Mutex
	made []made
}

func (c *Cluster) client(m made) dynamic.ResourceInterface {
	if m.namespace == "" {
		return c.Dynamic.Resource(m.resource)
	}
	return c.Dynamic.Resource(m.resource).Namespace(m.namespace)
}

// note remembers what is about to be applied to a cluster that was given. What is there already is somebody
// else's, and stays; what is in a Namespace that was made goes with it.
func (c *Cluster) note(ctx context.Context, m made) error {
	if c.ledger == nil {
		return nil
	}
	c.ledger.Lock()
	defer c.ledger.Unlock()
	if slices.Contains(c.ledger.made, m) || slices.Contains(c.ledger.made, made{resource: namespacesResource, name: m.namespace}) {
		return nil
	}
	_, err := c.client(m).Get(ctx, m.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		c.ledger.made = append(c.ledger.made, m)
		return nil
	}
	return err
}

// clearTimeout is how long a cluster may take to lose what a test made. A Namespace takes it some seconds.
const clearTimeout = 2 * time.Minute

// clear deletes what was made, the last first, and waits until it is gone: the next test may use the same names.
func (c *Cluster) clear() error {
	ctx, cancel := context.WithTimeout(context.Background(), clearTimeout)
	defer cancel()
	var errs []error
	for _, m := range slices.Backward(c.ledger.made) {
		if err := c.client(m).Delete(ctx, m.name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("delete %s %s/%s: %w", m.resource.Resource, m.namespace, m.name, err))
		}
	}
	for _, m := range c.ledger.made {
		if err := c.gone(ctx, m); err != nil {
			errs = append(errs, fmt.Errorf("%s %s/%s was deleted and is still there: %w", m.resource.Resource, m.namespace, m.name, err))
		}
	}
	return errors.Join(errs...)
}

func (c *Cluster) gone(ctx context.Context, m made) error {
	for {
		_, err := c.client(m).Get(ctx, m.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
