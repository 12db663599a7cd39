package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/mesh"
)

func read(t testing.TB, paths ...string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Files(inventory.FileOptions{}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func written(t testing.TB, text string) *inventory.Inventory {
	t.Helper()
	file := filepath.Join(t.TempDir(), "in.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return read(t, file)
}

func asJSON(t testing.TB, r *report.ScanResult) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: %s, namespace: shop}
spec:
  action: DENY
  rules:
  - to: [{operation: {methods: [GET]}}]
---
`

const shop = `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
---
`

// TestPanic holds that a mistake in one check, met at one object, costs that answer and no other.
func TestPanic(t *testing.T) {
	inv := written(t, shop+fmt.Sprintf(policy, "a")+fmt.Sprintf(policy, "b"))
	wrong := &policies.Check{ID: "test/wrong", Title: "x", Severity: policies.Low, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Run: func(p *policies.Pass) {
		if p.Object.Name == "a" {
			_ = strings.Fields("")[len(p.Object.Name)]
		}
	}}
	r := Scan(inv, Options{Checks: append(policies.Checks("effect/l7-deny-no-op"), wrong)})
	if len(r.Findings) != 2 {
		t.Errorf("%d findings, want those of both policies", len(r.Findings))
	}
	if len(r.Errors) != 1 {
		t.Fatalf("errors are %+v, want one", r.Errors)
	}
	e := r.Errors[0]
	if e.Check != "test/wrong" || e.Object.Name != "a" || e.Location == nil || e.Location.Line != 5 || !strings.Contains(e.Message, "index out of range") {
		t.Errorf("the error does not say what and where: %+v at %+v", e, e.Location)
	}
	if r.Status(report.Never) != report.StatusErrors {
		t.Errorf("status %d", r.Status(report.Never))
	}
}

// TestSamePanicOnce holds that what all checks meet alike is told once.
func TestSamePanicOnce(t *testing.T) {
	inv := written(t, shop+fmt.Sprintf(policy, "a"))
	wrong := func(id string) *policies.Check {
		return &policies.Check{ID: id, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Run: func(*policies.Pass) { panic("the same") }}
	}
	if r := Scan(inv, Options{Checks: []*policies.Check{wrong("a/a"), wrong("a/b")}}); len(r.Errors) != 1 {
		t.Errorf("errors are %+v, want one", r.Errors)
	}
}

// TestDeterministic holds that neither the order of the input nor the processors change the answer.
func TestDeterministic(t *testing.T) {
	inv := read(t, "../test/corpus/testdata/mesh-a/mesh.yaml")
	want := asJSON(t, Scan(inv, Options{}))
	backwards := *inv
	backwards.Objects = nil
	for i := len(inv.Objects) - 1; i >= 0; i-- {
		backwards.Objects = append(backwards.Objects, inv.Objects[i])
	}
	for i, again := range []*inventory.Inventory{inv, &backwards} {
		if diff := cmp.Diff(want, asJSON(t, Scan(again, Options{}))); diff != "" {
			t.Errorf("run %d differs:\n%.2000s", i, diff)
		}
	}
	if n := strings.Count(want, `"verdict"`); n < 800 {
		t.Errorf("the mesh has only %d verdicts, so this shows little", n)
	}
}

// TestPlaces holds that every effect, finding and binding from a file has a place.
func TestPlaces(t *testing.T) {
	r := Scan(read(t, "../test/corpus/testdata/mesh-a/mesh.yaml"), Options{})
	for _, e := range r.Effects {
		if e.Location == nil || e.Location.Line < 1 || e.Location.Column < 1 {
			t.Fatalf("effect of %s is at %+v", e.Object, e.Location)
		}
	}
	for _, f := range r.Findings {
		if f.Location == nil || f.Location.Line < 1 {
			t.Fatalf("finding at %s is at %+v", f.Object, f.Location)
		}
	}
	for _, b := range r.Bindings {
		if b.Location == nil || b.Message == "" || b.Reason == "" {
			t.Fatalf("binding of %s: %+v", b.Object, b)
		}
	}
	if len(r.Bindings) == 0 || len(r.Findings) == 0 {
		t.Errorf("%d bindings and %d findings, so this shows nothing", len(r.Bindings), len(r.Findings))
	}
}

// FuzzScan holds that no document makes a scan, an explanation, a plan or a repair panic: what cannot be judged is an
// answer too, and a panic inside a check would stand among the errors.
func FuzzScan(f *testing.F) {
	f.Add([]byte(shop + fmt.Sprintf(policy, "a")))
	f.Add([]byte("apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: y, labels: {istio.io/use-waypoint: w}}\nspec: {ports: [{port: 80}]}"))
	f.Add([]byte("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: w, namespace: y}\nspec: {gatewayClassName: istio-waypoint}"))
	f.Add([]byte("apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e}\nspec: {hosts: ['*'], endpoints: [{address: 1.2.3.4}]}"))
	for _, example := range []string{"../examples/ineffective.yaml", "../examples/shop/mistakes.yaml", "../examples/bank/mesh.yaml"} {
		text, err := os.ReadFile(example)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		inv, err := inventory.Files(inventory.FileOptions{Stdin: bytes.NewReader(doc), MaxBytes: 1 << 20}, "-")
		if err != nil {
			return
		}
		r := Scan(inv, Options{})
		for _, e := range r.Errors {
			if e.Check != "" || e.Object != nil {
				t.Errorf("%s %v: %s", e.Check, e.Object, e.Message)
			}
		}
		s := mesh.New(mesh.Options{}, inv.Objects...)
		for _, o := range inv.Objects {
			Explain(inv, s, o, Rules{})
		}
		Plan(inv, mesh.Options{})
		RepairAll(inv, Options{}, func(mesh.Ref) bool { return false })
	})
}
