package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"

	"istio.io/api/label"
)

// fieldManager is how the cluster's own writes are recorded.
const fieldManager = "waywarden-test"

const controllers = "namespace-controller,garbage-collector-controller,endpoints-controller,endpointslice-controller," +
	"serviceaccount-controller,deployment-controller,replicaset-controller"

func (c *Cluster) controllers() error {
	_, err := c.run("kube-controller-manager", nil,
		"--kubeconfig", c.Kubeconfig, "--controllers", controllers, "--leader-elect=false",
		"--authentication-skip-lookup", "--bind-address", "127.0.0.1", "--secure-port", "0",
		"--kube-api-qps", "1000", "--kube-api-burst", "2000", "--concurrent-deployment-syncs", "10")
	return err
}

var (
	podResource        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	nodeResource       = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	nodeName           = "n1"
	redirection        = "ambient.istio.io/redirection"
	namespacesResource = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
)

// nodes starts kwok and one node that it keeps.
func (c *Cluster) nodes(ctx context.Context) error {
	addr, err := freePort()
	if err != nil {
		return err
	}
	p, err := c.run("kwok", nil, "--kubeconfig", c.Kubeconfig, "--manage-all-nodes", "--config", filepath.Join(c.bin, "kwok-stages.yaml"),
		"--server-address", addr, "--cidr", "10.0.0.0/16")
	if err != nil {
		return err
	}
	node := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": nodeName}}}
	if _, err := c.Dynamic.Resource(nodeResource).Create(ctx, node, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create node %s: %w", nodeName, err)
	}
	return p.ready(ctx, "http://"+addr+"/healthz")
}

// schedule binds every pod that has no node, but those that hold keeps and those that ask for another node. There
// is no scheduler: a test decides which pods run.
func (c *Cluster) schedule(ctx context.Context, o options) {
	for ctx.Err() == nil {
		w, err := c.Dynamic.Resource(podResource).Watch(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName="})
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		for e := range w.ResultChan() {
			pod, ok := e.Object.(*unstructured.Unstructured)
			if !ok || e.Type == watch.Deleted || asksForAnotherNode(pod) || o.hold != nil && o.hold(pod) {
				continue
			}
			// A conflict or a pod that is gone shows up as the next event, if at all.
			_ = c.bind(ctx, pod, c.captures && c.enrolled(ctx, pod))
		}
	}
}

// asksForAnotherNode is whether a pod has a nodeSelector: the one node has no labels.
func asksForAnotherNode(pod *unstructured.Unstructured) bool {
	selector, _, _ := unstructured.NestedStringMap(pod.Object, "spec", "nodeSelector")
	return len(selector) > 0
}

// Bind puts a pod on the node that was held, where kwok makes it ready; it is captured as every other one is.
func (c *Cluster) Bind(ctx context.Context, namespace, name string) error {
	pod, err := c.Dynamic.Resource(podResource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return c.bind(ctx, pod, c.captures && c.enrolled(ctx, pod))
}

// bind puts a pod on the node. A binding's annotations become the pod's.
func (c *Cluster) bind(ctx context.Context, pod *unstructured.Unstructured, captured bool) error {
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Binding", "metadata": map[string]any{"name": pod.GetName(), "namespace": pod.GetNamespace()},
		"target": map[string]any{"apiVersion": "v1", "kind": "Node", "name": nodeName},
	}}
	if captured {
		Enrol(binding)
	}
	_, err := c.Dynamic.Resource(podResource).Namespace(pod.GetNamespace()).Create(ctx, binding, metav1.CreateOptions{}, "binding")
	return err
}

// enrolled is whether a pod, or else its namespace, is labelled for ambient mode. Waypoints and gateways say none of
// themselves.
func (c *Cluster) enrolled(ctx context.Context, pod *unstructured.Unstructured) bool {
	mode := label.IoIstioDataplaneMode.Name
	if own, ok := pod.GetLabels()[mode]; ok {
		return own == "ambient"
	}
	ns, err := c.Dynamic.Resource(namespacesResource).Get(ctx, pod.GetNamespace(), metav1.GetOptions{})
	return err == nil && ns.GetLabels()[mode] == "ambient"
}

// Enrol marks a pod as captured, as istio-cni does on a real node.
func Enrol(pod *unstructured.Unstructured) {
	a := pod.GetAnnotations()
	if a == nil {
		a = map[string]string{}
	}
	a[redirection] = "enabled"
	pod.SetAnnotations(a)
}

func (c *Cluster) istiod(ctx context.Context, env []string) error {
	if err := c.install(ctx); err != nil {
		return err
	}
	flags := []string{"--httpAddr", "--httpsAddr", "--grpcAddr", "--secureGRPCAddr", "--monitoringAddr"}
	args := []string{"discovery", "--kubeconfig", c.Kubeconfig, "--ctrlz_port", "0"}
	for _, f := range flags {
		addr, err := freePort()
		if err != nil {
			return err
		}
		args = append(args, f, addr)
		switch f {
		case "--httpAddr":
			c.IstiodURL = "http://" + addr
		case "--grpcAddr":
			c.IstiodXDS = addr
		}
	}
	p, err := c.run("istiod", append([]string{
		"PILOT_ENABLE_AMBIENT=true", "PILOT_ENABLE_STATUS=true", "POD_NAME=istiod-0", "POD_NAMESPACE=istio-system", "REVISION=default",
		"CLUSTER_ID=Kubernetes", "CA_TRUSTED_NODE_ACCOUNTS=istio-system/ztunnel", "INJECTION_WEBHOOK_CONFIG_NAME=", "VALIDATION_WEBHOOK_CONFIG_NAME=",
		"PILOT_STATUS_BURST=10000", "PILOT_STATUS_QPS=10000",
	}, env...), args...)
	if err != nil {
		return err
	}
	return p.ready(ctx, c.IstiodURL+"/ready")
}

// install makes istio-system with the ConfigMaps that istiod reads.
func (c *Cluster) install(ctx context.Context) error {
	ns := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "istio-system"}}}
	if _, err := c.Dynamic.Resource(namespacesResource).Create(ctx, ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(c.bin, "configmaps.yaml"))
	if err != nil {
		return err
	}
	return c.Apply(ctx, raw)
}

// Apply applies the objects of a YAML stream, server-side.
func (c *Cluster) Apply(ctx context.Context, stream []byte) error {
	objects, err := Objects(stream)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := c.ApplyObject(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// Objects reads the objects of a YAML stream.
func Objects(stream []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(stream), 4096)
	for {
		o := &unstructured.Unstructured{}
		if err := d.Decode(&o.Object); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if len(o.Object) > 0 {
			out = append(out, o)
		}
	}
}

// ApplyObject applies one object, server-side.
func (c *Cluster) ApplyObject(ctx context.Context, o *unstructured.Unstructured) error {
	r, namespaced, err := c.served(ctx, o.GroupVersionKind())
	if err != nil {
		return err
	}
	opts := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
	name := strings.TrimSpace(o.GetName())
	m := made{resource: r, name: name}
	if namespaced {
		m.namespace = o.GetNamespace()
	}
	if err := c.note(ctx, m); err != nil {
		return err
	}
	if _, err := c.client(m).Apply(ctx, name, o, opts); err != nil {
		return fmt.Errorf("apply %s %s/%s: %w", o.GetKind(), o.GetNamespace(), name, err)
	}
	return nil
}

// served is Resource, once discovery says so: an API server that is busy names a kind only some time after its CRD is established.
func (c *Cluster) served(ctx context.Context, gvk schema.GroupVersionKind) (r schema.GroupVersionResource, namespaced bool, err error) {
	_ = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		r, namespaced, err = c.Resource(gvk)
		return !meta.IsNoMatchError(err), nil
	}) // what it waited for, and did not come, err says
	return r, namespaced, err
}

// Resource is under which resource a kind is served, and whether its objects live in namespaces.
func (c *Cluster) Resource(gvk schema.GroupVersionKind) (schema.GroupVersionResource, bool, error) {
	if c.Mapper == nil {
		d, err := discovery.NewDiscoveryClientForConfig(c.Config)
		if err != nil {
			return schema.GroupVersionResource{}, false, err
		}
		c.Mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	}
	m, err := c.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) { // its CRD may have come since
		c.Mapper.Reset()
		m, err = c.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return schema.GroupVersionResource{}, false, err
	}
	return m.Resource, m.Scope.Name() == meta.RESTScopeNameNamespace, nil
}
