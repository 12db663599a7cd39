package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	// Keeps the module whose CRDs are installed in go.mod, which is where its version is pinned.
	_ "sigs.k8s.io/gateway-api/pkg/consts"
)

// server is one module under servers/ and what is built from it.
type server struct {
	module   string
	packages map[string]string // file in bin/ → package
	flags    []string
}

const (
	kubernetesVersion = "v1.37.2"
	versionPackage    = "k8s.io/component-base/version"
)

var servers = []server{
	{module: "etcd", packages: map[string]string{"etcd": "go.etcd.io/etcd/server/v3"}},
	{module: "kwok", packages: map[string]string{"kwok": "sigs.k8s.io/kwok/cmd/kwok"}},
	{module: "kubernetes", packages: map[string]string{
		"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
		"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
		// Without a version, clients cannot parse what /version answers.
	}, flags: []string{"-ldflags", "-X " + versionPackage + ".gitVersion=" + kubernetesVersion +
		" -X " + versionPackage + ".gitMajor=1 -X " + versionPackage + ".gitMinor=37"}},
	{module: "istiod", packages: map[string]string{
		"istiod":          "istio.io/istio/pilot/cmd/pilot-discovery",
		"render-istiod":   "./render",
		"waypoint-config": "./waypoint",
	}},
}

// Root is the project's folder, also for the tests of a module inside it.
func Root() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("no go.mod here: run from inside the project")
	}
	for dir := filepath.Dir(mod); ; dir = filepath.Dir(dir) {
		raw, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(raw), "module github.com/waywarden/waywarden\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside the project: run from there", mod)
		}
	}
}

// Build builds what is missing or older than its go.mod into bin/cluster, and returns that folder.
// A lock keeps two test binaries from building at once. A cold build takes some minutes; progress
// goes to stderr.
func Build() (string, error) {
	top, err := Root()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(top, "bin", "cluster")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(bin, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	for _, s := range servers {
		if err := s.build(filepath.Join(top, "test", "cluster", "servers", s.module), bin); err != nil {
			return "", fmt.Errorf("build %s: %w", s.module, err)
		}
	}
	if err := buildLauncher(top, bin); err != nil {
		return "", fmt.Errorf("build the launcher: %w", err)
	}
	return bin, assets(top, bin)
}

func lock(file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", file, err)
	}
	return func() { f.Close() }, nil
}

func (s server) build(dir, bin string) error {
	key, err := digest(dir, s.flags)
	if err != nil {
		return err
	}
	stamp := filepath.Join(bin, "."+s.module)
	if have, err := os.ReadFile(stamp); err == nil && string(have) == key && s.built(bin) {
		return nil
	}
	for file, pkg := range s.packages {
		fmt.Fprintf(os.Stderr, "building %s …\n", file)
		args := append(append([]string{"build"}, s.flags...), "-o", filepath.Join(bin, file), pkg)
		if err := goTool(dir, args...); err != nil {
			return err
		}
	}
	return os.WriteFile(stamp, []byte(key), 0o644)
}

func (s server) built(bin string) bool {
	for file := range s.packages {
		if _, err := os.Stat(filepath.Join(bin, file)); err != nil {
			return false
		}
	}
	return true
}

// digest is what a build depends on: the module's files, the flags and the toolchain.
func digest(dir string, flags []string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		h.Write(raw)
		return err
	})
	fmt.Fprint(h, flags, runtime.Version())
	return hex.EncodeToString(h.Sum(nil)), err
}

func goTool(dir string, args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	// -mod=mod or a workspace of the caller's must not reach into the servers' modules.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	return nil
}

// envtestDir holds the launcher under the names that envtest looks for.
func envtestDir(bin string) string { return filepath.Join(bin, "envtest") }

func buildLauncher(top, bin string) error {
	launch := filepath.Join(bin, "launch")
	if err := goTool(top, "build", "-o", launch, "./test/cluster/launch"); err != nil {
		return err
	}
	if err := os.MkdirAll(envtestDir(bin), 0o755); err != nil {
		return err
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		link := filepath.Join(envtestDir(bin), name)
		if _, err := os.Lstat(link); err == nil {
			continue
		}
		if err := os.Symlink("../launch", link); err != nil {
			return err
		}
	}
	return nil
}

// assets puts the CRDs, kwok's stages and istiod's ConfigMaps into bin, from the pinned modules.
func assets(top, bin string) error {
	if err := exec.Command(filepath.Join(bin, "render-istiod"), bin).Run(); err != nil {
		return fmt.Errorf("render istiod's chart: %w", err)
	}
	istio, err := moduleDir(top, "istio.io/api")
	if err != nil {
		return err
	}
	gateway, err := moduleDir(top, "sigs.k8s.io/gateway-api")
	if err != nil {
		return err
	}
	kwok, err := moduleDir(filepath.Join(top, "test", "cluster", "servers", "kwok"), "sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	stages := filepath.Join(kwok, "kustomize", "stage")
	for file, from := range map[string][]string{
		"crds-istio.yaml":   {filepath.Join(istio, "kubernetes", "customresourcedefinitions.gen.yaml")},
		"crds-gateway.yaml": {filepath.Join(gateway, "config", "crd", "standard", "*.yaml")},
		"kwok-stages.yaml": {filepath.Join(stages, "node", "fast", "node-*.yaml"),
			filepath.Join(stages, "node", "heartbeat-with-lease", "node-*.yaml"), filepath.Join(stages, "pod", "fast", "pod-*.yaml")},
	} {
		if err := concatenate(filepath.Join(bin, file), from...); err != nil {
			return err
		}
	}
	return nil
}

func moduleDir(dir, module string) (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w", module, err)
	}
	if d := strings.TrimSpace(string(out)); d != "" {
		return d, nil
	}
	return "", fmt.Errorf("module %s is not downloaded: run `go mod download`", module)
}

func concatenate(into string, globs ...string) error {
	var all bytes.Buffer
	for _, g := range globs {
		files, err := filepath.Glob(g)
		if err != nil || len(files) == 0 {
			return fmt.Errorf("nothing matches %s", g)
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			all.WriteString("---\n")
			all.Write(raw)
			all.WriteString("\n")
		}
	}
	return os.WriteFile(into, all.Bytes(), 0o644)
}
