package ci

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const root = "../.."

type action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct {
		Steps []struct {
			Name, Run string
			Env       map[string]string
		}
	}
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

// TestAction runs the steps of the action as a runner does: with bash -eo pipefail, and inputs as variables.
func TestAction(t *testing.T) {
	var a action
	read(t, "action.yml", &a)
	temp := t.TempDir()
	source, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	step := func(name string, inputs map[string]string) (string, int) {
		t.Helper()
		for _, s := range a.Runs.Steps {
			if s.Name != name {
				continue
			}
			cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.Run)
			cmd.Dir = source
			cmd.Env = append(os.Environ(), "RUNNER_TEMP="+temp)
			for variable, from := range s.Env {
				value := strings.ReplaceAll(from, "${{ github.action_path }}", source)
				for input, in := range a.Inputs {
					given, ok := inputs[input]
					if !ok {
						given = in.Default
					}
					value = strings.ReplaceAll(value, "${{ inputs."+input+" }}", given)
				}
				if strings.Contains(value, "${{") {
					t.Fatalf("step %s: nothing is known about %s", name, value)
				}
				cmd.Env = append(cmd.Env, variable+"="+value)
			}
			out, err := cmd.CombinedOutput()
			if _, ok := err.(*exec.ExitError); err != nil && !ok {
				t.Fatal(err)
			}
			return string(out), cmd.ProcessState.ExitCode()
		}
		t.Fatalf("no step %s", name)
		return "", 0
	}
	if out, code := step("build", nil); code != 0 {
		t.Fatal(out)
	}
	for _, tc := range []struct {
		name     string
		inputs   map[string]string
		code     int
		findings bool
		says     string
	}{
		{"findings", map[string]string{"paths": "examples/ineffective.yaml"}, 1, true, "::error file=examples/ineffective.yaml,line=74"},
		{"findings, which are let pass", map[string]string{"paths": "examples/ineffective.yaml", "fail-on": "never"}, 0, true, "line=74"},
		{"two paths", map[string]string{"paths": "examples/shop/mesh.yaml examples/shop/policies.yaml"}, 0, true, "line="},
		{"what was rendered", map[string]string{"paths": "-", "stdin": "examples/ineffective.yaml"}, 1, true, ""},
		{"further arguments", map[string]string{"paths": "examples/ineffective.yaml", "args": "--check effect/deny-without-rules"}, 0, false, ""},
		{"what is no script", map[string]string{"paths": "$(touch " + temp + "/pwned) ; touch " + temp + "/pwned"}, 2, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sarif := filepath.Join(t.TempDir(), "out.sarif")
			tc.inputs["sarif"] = sarif
			out, code := step("scan", tc.inputs)
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("status %d, want %d; want %q in:\n%s", code, tc.code, tc.says, out)
			}
			if _, err := os.Stat(temp + "/pwned"); err == nil {
				t.Fatal("an input was run")
			}
			raw, err := os.ReadFile(sarif)
			if err != nil || tc.code == 2 {
				return
			}
			var log struct {
				Runs []struct{ Results []any }
			}
			if err := json.Unmarshal(raw, &log); err != nil {
				t.Fatal(err)
			}
			if got := len(log.Runs[0].Results) > 0; got != tc.findings {
				t.Errorf("the SARIF file has findings: %t", got)
			}
		})
	}
	t.Run("pre-commit", func(t *testing.T) { hook(t, filepath.Join(temp, "waywarden")) })
}

// hook runs the pre-commit hook as pre-commit does: its entry and arguments, in the folder of the repository.
func hook(t *testing.T, binary string) {
	var hooks []struct {
		ID, Entry, Language string
		Args                []string
		PassFilenames       *bool `json:"pass_filenames"`
	}
	read(t, ".pre-commit-hooks.yaml", &hooks)
	h := hooks[0]
	if h.Language != "golang" || h.PassFilenames == nil || *h.PassFilenames {
		t.Errorf("hook %+v", h)
	}
	for folder, want := range map[string]int{"examples/shop": 1, "charts/waywarden/files/crds": 0} {
		line := strings.Fields(h.Entry)
		cmd := exec.Command(filepath.Join(filepath.Dir(binary), line[0]), append(line[1:], h.Args...)...)
		cmd.Dir = filepath.Join(root, folder)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%s: status %d, want %d:\n%s", folder, code, want, out)
		}
	}
}
