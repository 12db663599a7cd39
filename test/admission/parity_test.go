//go:build cluster

package admission

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

// TestParity stores the recorded mesh, and asks of each of its policies what admission finds and what a scan of the
// cluster finds: the same.
func TestParity(t *testing.T) {
	w := start(t, 1, "--log-level", "debug")
	raw, err := os.ReadFile(filepath.Join("..", "corpus", "testdata", "mesh-a", "mesh.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := cluster.Objects(raw)
	if err != nil {
		t.Fatal(err)
	}
	policies := w.store(objects)
	if len(policies) < 500 {
		t.Fatalf("only %d policies are stored; the test says little", len(policies))
	}
	scanned := w.scan()
	w.within(time.Minute, "admission has seen the mesh", func() error {
		admitted := w.admit(policies)
		for name := range admitted {
			if _, judged := scanned[name]; !judged {
				scanned[name] = nil
			}
		}
		for name := range scanned {
			if _, asked := admitted[name]; !asked {
				delete(scanned, name)
			}
		}
		if diff := cmp.Diff(scanned, admitted); diff != "" {
			return fmt.Errorf("(-scan +admission):\n%s", diff)
		}
		return nil
	})
	found := 0
	for _, checks := range scanned {
		found += len(checks)
	}
	t.Logf("%d policies, %d findings, alike", len(policies), found)
	if found < 100 {
		t.Errorf("only %d findings: the test says little", found)
	}
}

// store applies objects and returns the policies among them that the API server takes.
func (w *world) store(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	w.t.Helper()
	var policies []*unstructured.Unstructured
	for _, o := range objects {
		kind, ok := mesh.KindOf(o.GetAPIVersion(), o.GetKind())
		if !ok || kind == mesh.Pod || kind == mesh.EndpointSlice { // the controllers that make them do not run
			continue
		}
		delete(o.Object, "status")
		o.SetUID("")
		o.SetResourceVersion("")
		o.SetCreationTimestamp(metav1.Time{})
		o.SetManagedFields(nil)
		err := w.ApplyObject(w.t.Context(), o)
		if apierrors.IsInvalid(err) {
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if kind.IsPolicy() {
			policies = append(policies, o)
		}
	}
	return policies
}

// scan is what `waywarden scan` finds in the cluster: checks by object.
func (w *world) scan() map[string][]string {
	w.t.Helper()
	file, err := serving.Built()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := exec.Command(file, "scan", "--kubeconfig", w.Kubeconfig, "-o", "json", "--fail-on", "never").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	var result report.ScanResult
	if err := json.Unmarshal(out, &result); err != nil {
		w.t.Fatal(err)
	}
	found := map[string][]string{}
	for _, f := range result.Findings {
		name := f.Object.Kind + " " + f.Object.Namespace + "/" + f.Object.Name
		found[name] = append(found[name], f.Check+"="+f.Action)
	}
	return sorted(found)
}

// admit has admission judge every policy anew, as a dry run, and reads what it found from its log.
func (w *world) admit(policies []*unstructured.Unstructured) map[string][]string {
	w.t.Helper()
	log, err := os.Open(w.replicas[0].Log)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Seek(0, 2); err != nil {
		w.t.Fatal(err)
	}
	patch := fmt.Appendf(nil, `{"metadata": {"annotations": {"example.com/asked": %q}}}`, time.Now())
	var group sync.WaitGroup
	slots := make(chan struct{}, askers)
	for _, o := range policies {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if err := w.ask(o, patch); err != nil {
				w.t.Errorf("%s %s/%s: %v", o.GetKind(), o.GetNamespace(), o.GetName(), err)
			}
		})
	}
	group.Wait()
	found := map[string][]string{}
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var line struct {
			Msg, Phase, Kind, Namespace, Name string
			Findings                          []string
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "admission" && line.Phase == "validate" {
			found[line.Kind+" "+line.Namespace+"/"+line.Name] = slices.DeleteFunc(line.Findings, ofChange)
		}
	}
	return sorted(found)
}

// ask has admission judge a stored policy. Of the update of a ServiceEntry it tells only what is new, so that is created
// again: admission is asked before storage refuses it.
func (w *world) ask(o *unstructured.Unstructured, patch []byte) error {
	if o.GetKind() != "ServiceEntry" {
		_, err := w.resource(o).Patch(w.t.Context(), o.GetName(), types.MergePatchType, patch, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	_, err := w.resource(o).Create(w.t.Context(), o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return fmt.Errorf("create what is stored: %w", err)
}

// ofChange tells what is found of a change and not of what is stored, which a scan cannot see.
func ofChange(check string) bool { return strings.HasPrefix(check, "change/") }

func sorted(found map[string][]string) map[string][]string {
	for name, checks := range found {
		slices.Sort(checks)
		found[name] = slices.Compact(checks)
		if len(checks) == 0 {
			found[name] = nil
		}
	}
	return found
}
