//go:build cluster

package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/audit/openreports"
	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

// TestServe: the program as the chart runs it keeps reports that belong to the installation and go with it, tells of what is new and
// gone by Events, lines and metrics, and writes nothing for what is only asked of it.
func TestServe(t *testing.T) {
	w := start(t, cluster.WithControllers())
	w.install(openreports.OpenReports)
	binary, err := serving.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.apply(shop) // before anybody warns of it
	lines := filepath.Join(t.TempDir(), "audit.jsonl")
	replica, err := serving.Admit(t.Context(), w.Cluster, binary, t.TempDir(), "--audit-log", lines)
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		if err := replica.Stop(); err != nil {
			t.Error(err)
		}
	})
	defer stop()
	u := w.reported(openreports.OpenReports, "shop", 2)
	w.reportsSince(binary, u)
	ours, err := w.Dynamic.Resource(configurations).Get(t.Context(), "waywarden", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if owners := u.GetOwnerReferences(); len(owners) != 1 || owners[0].UID != ours.GetUID() || owners[0].Kind != "ValidatingWebhookConfiguration" {
		t.Errorf("the report belongs to %v", owners)
	}
	for _, want := range []string{"waywarden_audit_differences_total 0", `waywarden_audit_reports_total{outcome="written"}`, `waywarden_audit_duration_seconds_count{pass="full"} 1`,
		`waywarden_findings{action="Warn",check="effect/l7-deny-no-op",severity="critical"} 2`, "waywarden_audit_held 0", "waywarden_audit_events_dropped_total 0"} {
		w.eventually(want, func() error { return metric(replica.Metrics, want) })
	}
	w.eventually("an Event of each policy", func() error { return w.noted("no-get", "no-put") })
	w.onlyAsked(u)
	w.remove("shop", "no-put")
	w.reported(openreports.OpenReports, "shop", 1)
	w.eventually("a line of what is gone", func() error { return told(lines, "found no-get", "found no-put", "resolved no-put") })

	stop() // as who uninstalls it does, first
	if err := w.Dynamic.Resource(configurations).Delete(t.Context(), "waywarden", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the report goes with the installation", func() error {
		if _, err := w.report(openreports.OpenReports, "shop"); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there, or %v", err)
		}
		return nil
	})
}

var (
	configurations = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
	events         = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)

func metric(address, want string) error {
	resp, err := http.Get(address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && !strings.Contains(string(text), want) {
		err = fmt.Errorf("it is not among the metrics")
	}
	return err
}

// audited are the Events of the audit about a policy, as kubectl describe finds them: by its UID.
func (w *world) audited(name string) ([]unstructured.Unstructured, error) {
	policy, err := w.Dynamic.Resource(policiesResource).Namespace("shop").Get(w.Context(), name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	list, err := w.Dynamic.Resource(events).Namespace("shop").List(w.Context(), metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(policy.GetUID()) + ",reason=Ineffective"})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(e unstructured.Unstructured) bool { return e.Object["action"] != "Audit" }), nil
}

// noted is whether there is one Event about each policy.
func (w *world) noted(names ...string) error {
	for _, name := range names {
		list, err := w.audited(name)
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return fmt.Errorf("%d about %s", len(list), name)
		}
		if text := fmt.Sprint(list[0].Object["message"]); !strings.Contains(text, "this DENY denies nothing") || list[0].Object["type"] != "Warning" {
			return fmt.Errorf("%s: %v: %s", name, list[0].Object["type"], text)
		}
	}
	return nil
}

// onlyAsked asks for much that is warned of, some of which is stored and changes nothing of what is found: no report and no Event
// of the audit comes of it.
func (w *world) onlyAsked(before *unstructured.Unstructured) {
	w.Helper()
	in := w.Dynamic.Resource(policiesResource).Namespace("shop")
	stored, err := in.Get(w.Context(), "no-get", metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	for i := range 30 {
		tried := stored.DeepCopy()
		tried.SetName(fmt.Sprintf("tried-%d", i))
		tried.SetResourceVersion("")
		tried.SetUID("")
		if _, err := in.Create(w.Context(), tried, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
			w.Fatal(err)
		}
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"touched":"%d"}}}`, i)
		if _, err := in.Patch(w.Context(), "no-get", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			w.Fatal(err)
		}
	}
	time.Sleep(5 * time.Second) // the audit gathers changes for one
	after, err := w.report(openreports.OpenReports, "shop")
	if err != nil {
		w.Fatal(err)
	}
	if after.GetResourceVersion() != before.GetResourceVersion() {
		w.Errorf("after 60 requests that change nothing of what is found the report is another one")
	}
	if err := w.noted("no-get", "no-put"); err != nil {
		w.Errorf("after 60 requests: %v", err)
	}
}

// told is whether a file has these JSON lines, sorted, and no others.
func told(file string, want ...string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var got []string
	for line := range strings.Lines(string(data)) {
		var l struct {
			Event  string
			Object struct{ Name string }
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return fmt.Errorf("%q is no line of JSON: %w", line, err)
		}
		got = append(got, l.Event+" "+l.Object.Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("the lines are %q", got)
	}
	return nil
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
