package serving

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/waywarden/waywarden/test/cluster"
)

// Render is what the chart renders to, as YAML. Helm is in a module of its own, so a command of that one is asked.
func Render(ctx context.Context) ([]byte, error) {
	top, err := cluster.Root()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./render")
	cmd.Dir = filepath.Join(top, "test", "chart")
	var said strings.Builder
	cmd.Stderr = &said
	manifest, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("render the chart: %w\n%s", err, said.String())
	}
	return manifest, nil
}

// Install applies what the chart renders to, every object of it, and runs what the Deployment runs as a process: with the
// container's arguments and as the ServiceAccount, so with the rights of the chart and no others. The Deployment's own pods are
// kwok's, which run nothing and which the API server cannot reach, so the webhooks call a URL instead of the Service. When it
// returns, Waywarden has proved by its canary that admission works, and failurePolicy is Fail. The caller stops it.
func Install(ctx context.Context, c *cluster.Cluster, manifest []byte, binary, dir string) (*Admission, error) {
	balancer, err := Balance()
	if err != nil {
		return nil, err
	}
	args, err := applyRelease(ctx, c, manifest, balancer.URL())
	if err != nil {
		return nil, errors.Join(err, balancer.Close())
	}
	a, err := admit(ctx, c, balancer, func() (*Replica, error) {
		account, err := Account(ctx, c, dir)
		if err != nil {
			return nil, err
		}
		// Nobody else is there who could answer while it stops; and the first canary flew before the balancer knew of it.
		return Start(binary, account, dir, append(args, "--drain=0s", "--canary-interval=5s")...)
	})
	if err != nil {
		return nil, err
	}
	if err := raised(ctx, c); err != nil {
		return nil, errors.Join(err, a.Stop())
	}
	return a, nil
}

// applyRelease applies the objects of the chart, and is the arguments of the container of its Deployment.
func applyRelease(ctx context.Context, c *cluster.Cluster, manifest []byte, url string) ([]string, error) {
	objects, err := cluster.Objects(manifest)
	if err != nil {
		return nil, err
	}
	namespace := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": Namespace}}
	if err := c.ApplyObject(ctx, &unstructured.Unstructured{Object: namespace}); err != nil {
		return nil, err
	}
	var args []string
	for _, o := range objects {
		switch o.GetKind() {
		case "Deployment":
			if args, err = arguments(o); err != nil {
				return nil, err
			}
		case "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration":
			if err := call(o, url); err != nil {
				return nil, err
			}
		}
		if err := c.ApplyObject(ctx, o); err != nil {
			return nil, err
		}
	}
	if args == nil {
		return nil, errors.New("the chart has no Deployment, so nothing says how waywarden is run")
	}
	return args, served(ctx, c)
}

func arguments(deployment *unstructured.Unstructured) ([]string, error) {
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		return nil, fmt.Errorf("the Deployment has %d containers, want one: %v", len(containers), err)
	}
	args, _, err := unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
	return Arguments(args), err
}

// Arguments are those of the Deployment's container, less what Start says itself: where a process on this machine is reached.
func Arguments(container []string) []string {
	return slices.DeleteFunc(slices.Clone(container), func(arg string) bool {
		name, _, _ := strings.Cut(arg, "=")
		return slices.Contains([]string{"serve", "--namespace", "--service", "--webhook-addr", "--metrics-addr", "--health-addr"}, name)
	})
}

// call has the webhooks of a configuration call a URL instead of the Service.
func call(configuration *unstructured.Unstructured, url string) error {
	webhooks, _, err := unstructured.NestedSlice(configuration.Object, "webhooks")
	if err != nil {
		return err
	}
	for _, w := range webhooks {
		w := w.(map[string]any)
		path, ok, err := unstructured.NestedString(w, "clientConfig", "service", "path")
		if err != nil || !ok {
			return fmt.Errorf("webhook %v calls no path of a Service: %v", w["name"], err)
		}
		w["clientConfig"] = map[string]any{"url": url + path}
	}
	return unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks")
}

// tokenSeconds is a year: a kubelet renews a pod's token, and here nobody does.
const tokenSeconds = 365 * 24 * 60 * 60

// Account writes a kubeconfig of the chart's ServiceAccount into a folder, with a token as a pod gets one, and is its file.
func Account(ctx context.Context, c *cluster.Cluster, dir string) (string, error) {
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return "", err
	}
	seconds := int64(tokenSeconds)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	token, err := client.CoreV1().ServiceAccounts(Namespace).CreateToken(ctx, Name, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("make a token of ServiceAccount %s: %w", Name, err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthorityData: c.Config.CAData}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "c"
	file := filepath.Join(dir, "waywarden-kubeconfig")
	return file, clientcmd.WriteToFile(*config, file)
}

// raisedTimeout is how long a replica that is ready may take to fly its canary and to raise failurePolicy.
const raisedTimeout = time.Minute

// raised waits until the API server refuses what Waywarden cannot judge.
func raised(ctx context.Context, c *cluster.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, raisedTimeout)
	defer cancel()
	configurations := c.Dynamic.Resource(schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"})
	for {
		live, err := configurations.Get(ctx, Name, metav1.GetOptions{})
		if err == nil {
			webhooks, _, _ := unstructured.NestedSlice(live.Object, "webhooks")
			if slices.ContainsFunc(webhooks, func(w any) bool { return w.(map[string]any)["failurePolicy"] == "Fail" }) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("failurePolicy is not raised to Fail: %w (%v)", ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
