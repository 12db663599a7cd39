package chart

import (
	"fmt"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/test/cluster"
)

const dir = "../../charts/waywarden"

// optional are the APIs that a cluster has only if somebody installed them.
var optional = []string{"cert-manager.io/v1", "monitoring.coreos.com/v1"}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func template(t *testing.T, values string, to Target) (string, error) {
	t.Helper()
	return Template(dir, parse(t, values), to)
}

func parse(t *testing.T, values string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(values), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// objects are what a chart renders to, by kind and name.
type objects map[string]*unstructured.Unstructured

func render(t *testing.T, values string) objects {
	t.Helper()
	manifest, err := template(t, values, Target{APIs: optional})
	if err != nil {
		t.Fatal(err)
	}
	list, err := cluster.Objects([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	out := objects{}
	for _, o := range list {
		key := o.GetKind() + " " + o.GetName()
		if ns := o.GetNamespace(); ns != "" && ns != namespace {
			key = o.GetKind() + " " + ns + "/" + o.GetName()
		}
		if out[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		out[key] = o
	}
	return out
}

// into decodes one object strictly, so that a field in the wrong place is an error.
func into[T any](t *testing.T, all objects, key string) *T {
	t.Helper()
	o := all[key]
	if o == nil {
		t.Fatalf("no %s among %s", key, strings.Join(all.keys(), ", "))
	}
	raw, err := yaml.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	out := new(T)
	if err := yaml.UnmarshalStrict(raw, out); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", key, err))
	}
	return out
}
