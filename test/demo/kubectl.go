package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/util/jsonpath"

	"github.com/waywarden/waywarden/test/cluster"
)

// kubectl does the few things of kubectl that the session needs, by the same requests and with the same words, so that
// the machine need not have it.
type kubectl struct {
	dynamic dynamic.Interface
	mapper  meta.ResettableRESTMapper
	dir     string // what files are named from
	out     io.Writer

	flags
}

// flags are those of one command.
type flags struct {
	namespace, output, dryRun string
	wait                      string
	timeout                   time.Duration
	files                     []string
}

func newKubectl(cfg *rest.Config, dir string, out io.Writer) (*kubectl, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.WarningHandler = rest.NewWarningWriter(out, rest.WarningWriterOptions{Deduplicate: true})
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, err
	}
	return &kubectl{dynamic: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d)), dir: dir, out: out}, nil
}

// run runs a command. What the API server refuses is the error, as kubectl would print it.
func (k *kubectl) run(ctx context.Context, command, stdin string) error {
	k.flags = flags{}
	f := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	f.StringVarP(&k.namespace, "namespace", "n", "default", "")
	f.StringVarP(&k.output, "output", "o", "", "")
	f.StringVar(&k.dryRun, "dry-run", "none", "")
	f.StringVar(&k.wait, "for", "", "")
	f.DurationVar(&k.timeout, "timeout", waitTimeout, "")
	f.StringArrayVarP(&k.files, "filename", "f", nil, "")
	f.Bool("server-side", false, "") // it never applies otherwise
	if err := f.Parse(strings.Fields(strings.ReplaceAll(command, "'", ""))); err != nil {
		return err
	}
	args := f.Args()
	switch args[0] {
	case "apply":
		return k.apply(ctx, stdin)
	case "wait":
		return k.each(ctx, args[1:], k.waitFor)
	case "get":
		return k.each(ctx, args[1:], k.get)
	case "delete":
		return k.each(ctx, args[1:], k.delete)
	case "label":
		return k.unlabel(ctx, args[1], strings.TrimSuffix(args[2], "-"))
	}
	return fmt.Errorf("the session does not use kubectl %s", args[0])
}

func (k *kubectl) apply(ctx context.Context, stdin string) error {
	opts := metav1.ApplyOptions{FieldManager: "kubectl"}
	suffix := ""
	if k.dryRun == "server" {
		opts.DryRun, suffix = []string{metav1.DryRunAll}, " (server dry run)"
	}
	var refused []error
	for _, file := range k.files {
		raw := []byte(stdin)
		if file != "-" {
			var err error
			if raw, err = os.ReadFile(k.dir + "/" + file); err != nil {
				return err
			}
		}
		objects, err := cluster.Objects(raw)
		if err != nil {
			return err
		}
		for _, o := range objects {
			m, err := k.mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
			if err != nil {
				return err
			}
			if _, err := k.client(m, o.GetNamespace()).Apply(ctx, o.GetName(), o, opts); err != nil {
				refused = append(refused, err)
				continue
			}
			fmt.Fprintf(k.out, "%s serverside-applied%s\n", nameOf(m, o.GetName()), suffix)
		}
	}
	if len(refused) == 1 {
		return refused[0]
	}
	return utilerrors.NewAggregate(refused)
}

func (k *kubectl) client(m *meta.RESTMapping, namespace string) dynamic.ResourceInterface {
	if m.Scope.Name() != meta.RESTScopeNameNamespace {
		return k.dynamic.Resource(m.Resource)
	}
	return k.dynamic.Resource(m.Resource).Namespace(namespace)
}

// nameOf is an object as kubectl names it.
func nameOf(m *meta.RESTMapping, name string) string {
	return strings.ToLower(m.GroupVersionKind.GroupKind().String()) + "/" + name
}

// each does something to each object that is named as kind/name.
func (k *kubectl) each(ctx context.Context, names []string, do func(context.Context, *meta.RESTMapping, string) error) error {
	for _, n := range names {
		m, name, err := k.mapping(n)
		if err != nil {
			return err
		}
		if err := do(ctx, m, name); err != nil {
			return err
		}
	}
	return nil
}

func (k *kubectl) mapping(ref string) (*meta.RESTMapping, string, error) {
	resource, name, _ := strings.Cut(ref, "/")
	gvk, err := k.mapper.KindFor(schema.ParseGroupResource(resource).WithVersion(""))
	if err != nil {
		return nil, "", err
	}
	m, err := k.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	return m, name, err
}

// waitTimeout is kubectl's default, doubled for machines that do a lot besides.
const waitTimeout = time.Minute

func (k *kubectl) waitFor(ctx context.Context, m *meta.RESTMapping, name string) error {
	condition, isCondition := strings.CutPrefix(k.wait, "condition=")
	for deadline := time.Now().Add(k.timeout); ; time.Sleep(50 * time.Millisecond) {
		o, err := k.client(m, k.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil && (isCondition || !apierrors.IsNotFound(err)) { // the other thing to wait for is create
			return err
		}
		if err == nil && (!isCondition || isTrue(o, condition)) {
			fmt.Fprintln(k.out, nameOf(m, name), "condition met")
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("timed out waiting for %s on %s: %v", k.wait, nameOf(m, name), o)
		}
	}
}

func isTrue(o *unstructured.Unstructured, condition string) bool {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == condition {
			return c["status"] == "True"
		}
	}
	return false
}

func (k *kubectl) get(ctx context.Context, m *meta.RESTMapping, name string) error {
	o, err := k.client(m, k.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	p := jsonpath.New("output")
	if err := p.Parse(strings.TrimPrefix(k.output, "jsonpath=")); err != nil {
		return err
	}
	if err := p.Execute(k.out, o.Object); err != nil {
		return err
	}
	fmt.Fprintln(k.out) // so that the next prompt has a line of its own
	return nil
}

func (k *kubectl) delete(ctx context.Context, m *meta.RESTMapping, name string) error {
	if err := k.client(m, k.namespace).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	fmt.Fprintf(k.out, "%s %q deleted\n", strings.ToLower(m.GroupVersionKind.GroupKind().String()), name)
	return nil
}

func (k *kubectl) unlabel(ctx context.Context, ref, label string) error {
	m, name, err := k.mapping(ref)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{label: nil}}})
	if err != nil {
		return err
	}
	if _, err := k.client(m, k.namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "kubectl-label"}); err != nil {
		return err
	}
	fmt.Fprintln(k.out, nameOf(m, name), "unlabeled")
	return nil
}
