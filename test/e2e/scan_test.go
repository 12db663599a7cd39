//go:build cluster

package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/test/cluster"
)

// TestScanLive applies the file of eight policies to a cluster and scans the cluster: the same eight
// are found there as in the file.
func TestScanLive(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "waywarden")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/waywarden").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const file = "../../examples/ineffective.yaml"
	c := cluster.Start(t, cluster.WithIstiod())
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// istio-cni, which would mark the pods as captured, needs a real node: the test does it here.
	const template = "  template:\n    metadata:\n"
	captured := strings.Replace(string(raw), template, template+"      annotations:\n        ambient.istio.io/redirection: enabled\n", 1)
	if err := c.Apply(t.Context(), []byte(captured)); err != nil {
		t.Fatal(err)
	}
	inFile := found(t, binary, "scan", "-o", "json", file)
	if len(inFile) != 8 {
		t.Errorf("%d findings in the file, want 8", len(inFile))
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Second) {
		live := found(t, binary, "scan", "-o", "json", "--kubeconfig", c.Kubeconfig, "-n", "boutique")
		diff := cmp.Diff(inFile, live)
		if diff == "" {
			return
		}
		if time.Now().After(deadline) { // the pods need a moment to come up
			t.Fatalf("(-file +cluster):\n%s", diff)
		}
	}
}

// found is what is found, by object.
func found(t *testing.T, binary string, args ...string) map[string]string {
	t.Helper()
	cmd := exec.Command(binary, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() != report.StatusFindings {
		t.Fatalf("waywarden %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	var result report.ScanResult
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	findings := map[string]string{}
	for _, f := range result.Findings {
		findings[f.Object.Kind+" "+f.Object.Namespace+"/"+f.Object.Name] += f.Check + " "
	}
	return findings
}
