package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/waywarden/waywarden/policies/mesh"
)

// write puts the files of a txtar text into a directory and changes to it.
func write(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, f := range txtar.Parse([]byte(text)).Files {
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFiles(t *testing.T) {
	write(t, `
-- a.yaml --
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {selector: {app: cart}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: token}
---
apiVersion: batch/v1
kind: Job
metadata: {generateName: once-}
---
apiVersion: batch/v1
kind: Job
metadata: {generateName: once-}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, namespace: ignored}
-- b.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: wrong
  namespace: shop
spec:
  action: DENY
  rules:
  - to:
    - operation:
        methods: GET
---
apiVersion: v1
kind: Pod
metadata: {labels: {app: cart}}
---
apiVersion: v1
kind: Service
metadata:
  namespace: fallback
  name: cart
`)
	inv, err := Files(FileOptions{DefaultNamespace: "fallback"}, "a.yaml", "b.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range inv.Objects {
		got = append(got, o.String())
	}
	want := []string{"Service fallback/cart", "Job fallback/once-*", "Job fallback/once-*2", "Namespace shop"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"v1/ResourceQuota": 1}, inv.Ignored); diff != "" {
		t.Errorf("ignored (-want +got):\n%s", diff)
	}
	var problems []string
	for _, p := range inv.Problems {
		problems = append(problems, p.Error())
	}
	want = []string{
		`b.yaml:11:9: spec.rules[0].to[0].operation.methods: AuthorizationPolicy shop/wrong is not judged: spec.rules[0].to[0].operation.methods must be a list of strings and is the string "GET". Correct it.`,
		`b.yaml:15:1: metadata: the Pod is not judged: it has no name. Give it metadata.name.`,
		`a.yaml:3:12: metadata.name: Service fallback/cart is not judged as it stands here: it stands again at b.yaml:21:3, and the last one counts. Remove one of the two.`,
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	file, line, column, ok := inv.Position(inv.Objects[0].Ref(), "metadata.name")
	if file != "b.yaml" || line != 21 || column != 3 || !ok {
		t.Errorf("position of the Service that counts: %s:%d:%d %v", file, line, column, ok)
	}
	if _, _, _, ok := inv.Position(mesh.Ref{Kind: "Service", Namespace: "fallback", Name: "cart"}, ""); !ok {
		t.Error("no position for a reference without apiVersion")
	}
	if _, _, _, ok := inv.Position(mesh.Ref{Kind: "Service", Namespace: "fallback", Name: "other"}, ""); ok {
		t.Error("a position for an object that is not there")
	}
}

func TestFilesTellsTheTwoGatewaysApart(t *testing.T) {
	inv, err := Files(FileOptions{Stdin: strings.NewReader(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: web}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: web}
`)}, "-")
	if err != nil {
		t.Fatal(err)
	}
	if len(inv.Objects) != 2 || len(inv.Problems) != 0 {
		t.Fatalf("objects %v, problems %v", inv.Objects, inv.Problems)
	}
	for i, want := range []int{2, 6} {
		if _, line, _, _ := inv.Position(inv.Objects[i].Ref(), ""); line != want {
			t.Errorf("%s is on line %d, want %d", inv.Objects[i].APIVersion, line, want)
		}
	}
}

func TestFilesRefusesAMissingPath(t *testing.T) {
	if _, err := Files(FileOptions{}, filepath.Join(t.TempDir(), "none.yaml")); err == nil {
		t.Error("a path that does not exist reads as an empty mesh")
	}
}
