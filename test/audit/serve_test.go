//go:build cluster

package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/audit/openreports"
	"github.com/waywarden/waywarden/test/serving"
)

// TestServe: the program as the chart runs it keeps reports that belong to the installation, and counts what it does.
func TestServe(t *testing.T) {
	w := start(t)
	w.install(openreports.OpenReports)
	binary, err := serving.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.apply(shop) // before anybody warns of it
	replica, err := serving.Admit(t.Context(), w.Cluster, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := replica.Stop(); err != nil {
			t.Error(err)
		}
	}()
	u := w.reported(openreports.OpenReports, "shop", 2)
	w.reportsSince(binary, u)
	configurations := schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
	ours, err := w.Dynamic.Resource(configurations).Get(t.Context(), "waywarden", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if owners := u.GetOwnerReferences(); len(owners) != 1 || owners[0].UID != ours.GetUID() || owners[0].Kind != "ValidatingWebhookConfiguration" {
		t.Errorf("the report belongs to %v", owners)
	}
	for _, want := range []string{"waywarden_audit_differences_total 0", `waywarden_audit_reports_total{outcome="written"}`, `waywarden_audit_duration_seconds_count{pass="full"} 1`,
		`waywarden_findings{action="Warn",check="effect/l7-deny-no-op",severity="critical"} 2`} {
		w.eventually(want, func() error {
			resp, err := http.Get(replica.Metrics)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err == nil && !strings.Contains(string(text), want) {
				err = fmt.Errorf("it is not among the metrics")
			}
			return err
		})
	}
	w.remove("shop", "no-put")
	w.reported(openreports.OpenReports, "shop", 1)
}

// reportsSince: a report of the cluster says since when things are found, as the audit has stored it.
func (w *world) reportsSince(binary string, stored *unstructured.Unstructured) {
	w.T.Helper()
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(w.T.Context(), binary, "report", "--kubeconfig", w.Kubeconfig, "-o", "json")
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		w.T.Fatalf("%v\n%s", err, &problems)
	}
	var made compliance.Report
	if err := json.Unmarshal(out.Bytes(), &made); err != nil {
		w.T.Fatal(err)
	}
	want, _ := times(w.T, stored, "no-put")
	i := slices.IndexFunc(made.Findings, func(f compliance.Finding) bool { return f.Object.Name == "no-put" && f.FirstSeen != nil })
	if i < 0 {
		w.T.Fatalf("the report does not say since when no-put is found\n%s", &problems)
	}
	if got := made.Findings[i].FirstSeen.Format(time.RFC3339); got != want {
		w.T.Errorf("no-put is found since %s, and since %s in the report that is stored", got, want)
	}
}
