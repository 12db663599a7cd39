package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestSaysWhatIsMissing: where there is nothing to run on, it fails and says so. It never passes.
func TestSaysWhatIsMissing(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "kind")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	docker, _ := exec.LookPath("docker")
	for _, tc := range []struct {
		name string
		env  []string
		when bool
		want string
	}{
		{"no docker", []string{"PATH=/nonexistent"}, true, "the command docker is not installed"},
		{"no engine", []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "DOCKER_HOST=unix:///nonexistent/docker.sock"}, docker != "", "docker cannot reach one"},
		{"a cluster, and no image", []string{"PATH=/nonexistent", kubeconfigEnv + "=/some/kubeconfig"}, true, "set " + imageEnv},
		{"a cluster, and an image without a tag", []string{"PATH=/nonexistent", kubeconfigEnv + "=/nonexistent", imageEnv + "=registry:5000/waywarden"}, true, "executable file not found"},
	} {
		if !tc.when {
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			cmd := exec.Command(binary)
			cmd.Env = tc.env
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(out), tc.want) || strings.Contains(string(out), "passed") {
				t.Errorf("status %d, want 1 and %q:\n%s", code, tc.want, out)
			}
		})
	}
}

func TestCutLast(t *testing.T) {
	for image, want := range map[string][2]string{
		"waywarden:kind": {"waywarden", "kind"}, "registry:5000/waywarden:1": {"registry:5000/waywarden", "1"},
		"registry:5000/waywarden": {"registry:5000/waywarden", ""}, "waywarden": {"waywarden", ""},
	} {
		repository, tag, ok := cutLast(image, ":")
		if repository != want[0] || tag != want[1] || ok != (tag != "") {
			t.Errorf("%s: %q, %q, %t", image, repository, tag, ok)
		}
	}
}

// TestWorkflow: public CI runs this on two minors of Kubernetes, one of which is what it runs on by default.
func TestWorkflow(t *testing.T) {
	raw, err := os.ReadFile("../../.github/workflows/kind.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Jobs map[string]struct {
			Strategy struct {
				Matrix struct{ Node []string }
			}
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	job := w.Jobs["kind"]
	last := job.Steps[len(job.Steps)-1]
	if last.Run != "make test-kind" || last.Env[nodeEnv] != "${{ matrix.node }}" {
		t.Errorf("the last step is %+v", last)
	}
	if nodes := job.Strategy.Matrix.Node; len(nodes) != 2 || nodes[0] != defaultNode {
		t.Errorf("it runs on %v, want two, the first of them %s", nodes, defaultNode)
	}
}
