package gatekeeper

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/trial"
)

var update = flag.Bool("update", false, "rewrite what is expected in testdata")

func importFolder(t *testing.T, dir string) Pack {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no files", err)
	}
	var sources []Source
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, Source{filepath.ToSlash(name), data})
	}
	return Import("acme", sources, os.ReadFile)
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// written is a pack as one text.
func written(p Pack) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		b.WriteString("== " + name + "\n" + string(p.Files[name]))
	}
	return b.String()
}

// imported holds what is made of a folder to what is expected, and loads it with scenarios for what no Suite has cases of.
func imported(t *testing.T, dir string, scenarios map[string]string) *rules.Pack {
	t.Helper()
	pack := importFolder(t, dir)
	if len(pack.Refusals) > 0 {
		t.Fatal(pack.Refusals)
	}
	golden(t, dir+"/pack.want", written(pack))
	fsys := fstest.MapFS{}
	for name, data := range pack.Files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	for name, text := range scenarios {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	loaded, refusals, err := rules.Check(fsys, rules.Options{})
	if err != nil || len(refusals) > 0 {
		t.Fatalf("%v\n%v", err, refusals)
	}
	return loaded
}

// judged asks a rule about its scenarios.
func judged(t *testing.T, loaded *rules.Pack, id string, cases int) {
	t.Helper()
	only := func(one string) bool { return one == id }
	for _, r := range trial.Run(loaded, trial.Options{Only: only, Updating: true}) {
		for _, c := range r.Cases {
			if len(c.Problems) > 0 {
				t.Errorf("%s: %v\n%s%s", c.Name, c.Problems, c.Text, c.Why)
			}
		}
		if len(r.Cases) != cases {
			t.Errorf("%s: %d cases", id, len(r.Cases))
		}
	}
}

// atAdmission is whether a rule is asked at admission alone.
func atAdmission(t *testing.T, loaded *rules.Pack, id string, want bool) {
	t.Helper()
	if got := loaded.Find(id); got == nil || slices.Equal(got.Phases, []policies.Phase{policies.AtAdmission}) != want {
		t.Errorf("%s: is it asked at admission alone? Want %v: %v", id, want, got)
	}
}

// TestImport: what is made of a template passes what is demanded of rules, and judges the cases of its Suite as gator does.
func TestImport(t *testing.T) {
	loaded := imported(t, "testdata/services", map[string]string{"acme/no_wildcards.txtar": `-- ok-a.yaml --
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a, namespace: shop}
spec: {hostnames: [a.example.com]}
-- bad-a.yaml --
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a, namespace: shop}
spec: {hostnames: ["*.example.com"]}
`})
	judged(t, loaded, "acme/services-inside", 3)
	atAdmission(t, loaded, "acme/no-wildcards", true) // it asks for the operation
}

// TestImportNamespaces: the same of a template for Namespaces, which are in themselves.
func TestImportNamespaces(t *testing.T) {
	loaded := imported(t, "testdata/namespaces", nil)
	judged(t, loaded, "acme/tenants-are-known", 4)
	atAdmission(t, loaded, "acme/tenants-are-known", false)
}

// TestImportPods: a template for pods is asked of what makes them, and at admission alone where that shows only then what it looks at.
func TestImportPods(t *testing.T) {
	const registries = `Images, in pods and in templates of them.
-- ok-ours.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec: {template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: c, image: registry.example.com/cart}]}}}
-- ok-other-pods.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec: {template: {spec: {containers: [{name: c, image: docker.io/cart}]}}}
-- ok-owned.yaml --
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: cart, uid: x}]}
spec: {containers: [{name: c, image: docker.io/cart}]}
-- bad-deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec: {template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: c, image: docker.io/cart}]}}}
-- bad-cron.yaml --
apiVersion: batch/v1
kind: CronJob
metadata: {name: cart, namespace: shop}
spec: {jobTemplate: {spec: {template: {metadata: {labels: {app: cart}}, spec: {initContainers: [{name: c, image: docker.io/cart}]}}}}}
-- bad-bare.yaml --
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec: {containers: [{name: c, image: docker.io/cart}]}
`
	const paths = `Folders of the node.
-- ok-none.yaml --
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: a, namespace: shop}
spec: {template: {spec: {volumes: [{name: v}]}}}
-- ok-none.asked.yaml --
phase: admission
-- bad-a.yaml --
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: a, namespace: shop}
spec: {template: {spec: {volumes: [{name: v, hostPath: {path: /}}]}}}
-- bad-a.asked.yaml --
phase: admission
`
	const replicas = `Replicas.
-- ok-two.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: shop}
spec: {replicas: 2}
-- ok-two.asked.yaml --
phase: admission
-- bad-one.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: shop}
spec: {replicas: 1}
-- bad-one.asked.yaml --
phase: admission
`
	const bare = `Pods that nothing owns.
-- ok-owned.yaml --
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: a, uid: x}]}
-- bad-bare.yaml --
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop}
`
	loaded := imported(t, "testdata/pods", map[string]string{"acme/own_registry.txtar": registries, "acme/no_host_paths.txtar": paths,
		"acme/two_replicas.txtar": replicas, "acme/no_bare_pods.txtar": bare})
	for id, c := range map[string]struct {
		cases     int
		admission bool
	}{"acme/own-registry": {6, false}, "acme/no-host-paths": {2, true}, "acme/two-replicas": {2, true}, "acme/no-bare-pods": {2, false}} {
		judged(t, loaded, id, c.cases)
		atAdmission(t, loaded, id, c.admission)
	}
}

// TestRefused: what cannot be carried over, and why.
func TestRefused(t *testing.T) {
	pack := importFolder(t, "testdata/refused")
	var b strings.Builder
	for _, r := range pack.Refusals {
		b.WriteString(r.String() + "\n")
	}
	golden(t, "testdata/refused/refusals.want", b.String())
	if len(pack.Files) > 0 {
		t.Errorf("written all the same: %v", slices.Collect(maps.Keys(pack.Files)))
	}
}

// FuzzImport: whatever a file holds, it is carried over or refused, and what is written can be read.
func FuzzImport(f *testing.F) {
	for _, name := range []string{"testdata/services/template.yaml", "testdata/services/constraint.yaml", "testdata/refused/all.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pack := Import("acme", []Source{{"x.yaml", data}}, os.ReadFile)
		for name, text := range pack.Files {
			if strings.HasSuffix(name, ".rego") {
				if _, err := rules.Parse(name, text); err != nil {
					t.Errorf("%v\n%s", err, text)
				}
			}
		}
	})
}
