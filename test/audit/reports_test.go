//go:build cluster

package audit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/audit/openreports"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

// times are first-seen and resolved-at of what a report says of an object.
func times(t *testing.T, u *unstructured.Unstructured, name string) (firstSeen, resolvedAt string) {
	t.Helper()
	results, _, err := unstructured.NestedSlice(u.Object, "results")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if fmt.Sprint(r.(map[string]any)["resources"].([]any)[0].(map[string]any)["name"]) == name {
			p := r.(map[string]any)["properties"].(map[string]any)
			resolvedAt, _ = p["resolvedAt"].(string)
			return p["firstSeen"].(string), resolvedAt
		}
	}
	t.Fatalf("nothing is said of %s: %v", name, results)
	return "", ""
}

// TestReports writes reports by either API, and restarts: nothing is new that is known, and what is gone says for how long it
// was there. Nothing is written that is stored already.
func TestReports(t *testing.T) {
	for _, api := range []openreports.API{openreports.OpenReports, openreports.PolicyReport} {
		t.Run(api.Group, func(t *testing.T) {
			w := start(t)
			w.install(api)
			w.apply(shop)
			stop := w.audit(time.Hour, api)
			u := w.reported(api, "shop", 2)
			get, _ := times(t, u, "no-get")
			w.remove("shop", "no-put")
			u = w.reported(api, "shop", 1)
			if _, resolved := times(t, u, "no-put"); resolved == "" {
				t.Errorf("no-put is gone, and the report does not say since when")
			}
			stop()
			time.Sleep(1100 * time.Millisecond) // times are told to the second
			known, written := len(w.news.New), w.count(openreports.Written)
			version := u.GetResourceVersion()

			stop = w.audit(time.Hour, api)
			w.eventually("a second full audit", func() error {
				if w.count(openreports.Unchanged) == 0 {
					return fmt.Errorf("nothing was compared with what is stored: %v", w.reports)
				}
				return nil
			})
			stop()
			if u = w.reported(api, "shop", 1); u.GetResourceVersion() != version || w.count(openreports.Written) != written {
				t.Errorf("after a restart a report is written that is the same: version %s, was %s; %v", u.GetResourceVersion(), version, w.reports)
			}
			if first, _ := times(t, u, "no-get"); first != get {
				t.Errorf("no-get was first seen %s, and after a restart %s", get, first)
			}
			if _, resolved := times(t, u, "no-put"); resolved == "" {
				t.Error("after a restart nobody knows any more that no-put is gone")
			}
			if len(w.news.New) != known {
				t.Errorf("after a restart %d findings are new", len(w.news.New)-known)
			}

			w.remove("shop", "no-get") // while nobody looks
			w.audit(time.Hour, api)
			u = w.reported(api, "shop", 0)
			if first, resolved := times(t, u, "no-get"); first != get || resolved == "" {
				t.Errorf("what went while nobody looked: first seen %s, was %s; resolved %q", first, get, resolved)
			}
		})
	}
}

// TestCRDsMissing: it is said once, the audit goes on, and reports are written once there is a place for them; also where that
// goes away meanwhile.
func TestCRDsMissing(t *testing.T) {
	w := start(t)
	w.apply(shop)
	w.audit(3*time.Second, openreports.OpenReports, openreports.PolicyReport)
	said := func() (n int) {
		for _, line := range w.lines() {
			n += strings.Count(line, "reports are not written")
		}
		return n
	}
	full := func(n int) func() error {
		return func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.full < n {
				return fmt.Errorf("%d full audits", w.full)
			}
			return nil
		}
	}
	w.eventually("three full audits without CRDs", full(3))
	if n := said(); n != 1 {
		t.Errorf("it is said %d times that reports are not written:\n%v", n, w.lines())
	}
	w.install(openreports.OpenReports)
	w.reported(openreports.OpenReports, "shop", 2)
	w.uninstall(openreports.OpenReports)
	w.remove("shop", "no-put")
	w.eventually("it is said again", func() error {
		if said() != 2 {
			return fmt.Errorf("it was said %d times", said())
		}
		return nil
	})
	w.install(openreports.OpenReports)
	w.reported(openreports.OpenReports, "shop", 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong != 0 {
		t.Errorf("%d objects of which something else was kept than is found", w.wrong)
	}
}

// TestDeletedReport: what somebody deletes is written again.
func TestDeletedReport(t *testing.T) {
	w := start(t)
	w.install(openreports.OpenReports)
	w.apply(shop)
	w.audit(3*time.Second, openreports.OpenReports)
	before := w.reported(openreports.OpenReports, "shop", 2)
	if err := w.Dynamic.Resource(resources[openreports.OpenReports]).Namespace("shop").Delete(t.Context(), openreports.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	after := w.reported(openreports.OpenReports, "shop", 2)
	if a, _ := times(t, before, "no-get"); true {
		if b, _ := times(t, after, "no-get"); a != b {
			t.Errorf("first seen %s before the report was deleted, %s after", a, b)
		}
	}
}

// TestQuota: a namespace that may have no report does not keep the others from having theirs, and gets its own once it may.
func TestQuota(t *testing.T) {
	w := start(t)
	w.install(openreports.OpenReports)
	quotas := w.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}).Namespace("shop")
	w.apply(shop[:strings.Index(shop, "\n---\n")] + `
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: none, namespace: shop}
spec: {hard: {count/reports.openreports.io: "0"}}
`)
	// There is no controller that would do this.
	if _, err := quotas.Patch(t.Context(), "none", types.MergePatchType, []byte(`{"status":{"hard":{"count/reports.openreports.io":"0"},"used":{"count/reports.openreports.io":"0"}}}`), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	w.apply(shop + "---\n" + strings.ReplaceAll(shop, "shop", "bank"))
	w.audit(time.Hour, openreports.OpenReports)
	w.reported(openreports.OpenReports, "bank", 2)
	w.eventually("the quota is told", func() error {
		for _, line := range w.lines() {
			if strings.Contains(line, "exceeded quota") && strings.Contains(line, "Report shop/waywarden") {
				return nil
			}
		}
		return fmt.Errorf("nothing is said of it")
	})
	if _, err := w.report(openreports.OpenReports, "shop"); !apierrors.IsNotFound(err) {
		t.Errorf("the quota did not hold, so that this shows nothing: %v", err)
	}
	if err := quotas.Delete(t.Context(), "none", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.reported(openreports.OpenReports, "shop", 2)
}

// TestRefusedForSize: an object that the API server does not take, or etcd behind it, is written with fewer results, and exact totals.
func TestRefusedForSize(t *testing.T) {
	w := start(t)
	w.install(openreports.OpenReports)
	w.apply(shop)
	for name, most := range map[string]int{
		"the API server": 64 << 20, // which takes 3 MiB
		"etcd":           2 << 20,  // which takes 1.5 MiB
	} {
		t.Run(name, func(t *testing.T) { w.refusedForSize(t, most) })
	}
}

func (w *world) refusedForSize(t *testing.T, most int) {
	p := &ledger.Place{Namespace: "shop"}
	for i := range 20_000 {
		r := ledger.NewRecord(policies.Finding{Check: "effect/l7-deny-no-op", Severity: policies.Critical, Message: strings.Repeat("x", 500),
			Object: mesh.Ref{APIVersion: "security.istio.io/v1", Kind: "AuthorizationPolicy", Namespace: "shop", Name: fmt.Sprintf("p-%d", i)}}, v1alpha1.Warn, "")
		r.FirstSeen = time.Now()
		p.Open = append(p.Open, r)
	}
	writer, err := openreports.NewWriter(w.Config, openreports.Options{API: openreports.OpenReports, MaxBytes: most})
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := writer.Write(t.Context(), p, openreports.Unseen{})
	if err != nil || outcome != openreports.Smaller {
		t.Fatalf("20,000 findings: %s, %v", outcome, err)
	}
	u := w.reported(openreports.OpenReports, "shop", 20_000)
	results, _, _ := unstructured.NestedSlice(u.Object, "results")
	t.Logf("%d results were taken", len(results))
	if len(results) == 0 || len(results) == 20_000 {
		t.Errorf("%d results were taken", len(results))
	}
	if outcome, err = writer.Write(t.Context(), p, openreports.Unseen{}); err != nil || outcome != openreports.Unchanged {
		t.Errorf("the same once more: %s, %v", outcome, err)
	}
}

// TestCommandLine: what waywarden report writes as objects is what an API server takes, with no field that it does not know.
func TestCommandLine(t *testing.T) {
	w := start(t)
	binary, err := serving.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("kind: {"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, api := range []openreports.API{openreports.OpenReports, openreports.PolicyReport} {
		w.install(api)
		format := map[openreports.API]string{openreports.OpenReports: "openreports", openreports.PolicyReport: "policyreport"}[api]
		cmd := exec.Command(binary, "report", "../../examples/bank", "../../examples/guardrails", broken, "-o", format)
		var problems strings.Builder
		cmd.Stderr = &problems
		manifest, err := cmd.Output()
		if cmd.ProcessState.ExitCode() != 3 { // because of what is broken
			t.Fatalf("%v\n%s", err, &problems)
		}
		objects, err := cluster.Objects(manifest)
		if err != nil || len(objects) < 5 {
			t.Fatalf("%d objects, %v", len(objects), err)
		}
		for _, o := range objects {
			resource := w.Dynamic.Resource(api.WithResource(strings.ToLower(o.GetKind()) + "s"))
			create := resource.Create
			if ns := o.GetNamespace(); ns != "" {
				w.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: " + ns + "}\n")
				create = resource.Namespace(ns).Create
			}
			if _, err := create(t.Context(), o, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
				t.Errorf("%s %s/%s: %v", o.GetKind(), o.GetNamespace(), o.GetName(), err)
			}
		}
	}
}
