//go:build cluster

package istiod

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestKnownDifferencesAreInIstio looks whether Istio's code says at the line of every known difference what the
// list says, in the version that is run.
func TestKnownDifferencesAreInIstio(t *testing.T) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "istio.io/istio")
	cmd.Dir = "../cluster/servers/istiod"
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("find Istio's module: %v", err)
	}
	for _, k := range known {
		file, number, _ := strings.Cut(k.line, ":")
		raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), file))
		if err != nil {
			t.Error(err)
			continue
		}
		lines := strings.Split(string(raw), "\n")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(lines) || strings.TrimSpace(lines[n-1]) != k.says {
			t.Errorf("%s does not say %q", k.line, k.says)
		}
	}
}
