// Command kind runs the end-to-end suite against a kind cluster: it makes one, installs the chart in both certificate
// variants, runs the suite against each, and deletes the cluster. Where WAYWARDEN_TEST_KUBECONFIG names a cluster it uses
// that instead, with the image that WAYWARDEN_TEST_IMAGE names. It needs Docker, or such a cluster; without either it says what
// is missing and fails.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// The tools, which Go fetches and builds: neither has to be installed.
const (
	kindTool = "sigs.k8s.io/kind@v0.33.0"
	helmTool = "helm.sh/helm/v3/cmd/helm@v3.22.0"
	// The digest is the one that this kind names as its default.
	defaultNode = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
)

// What a user may say by the environment.
const (
	kubeconfigEnv = "WAYWARDEN_TEST_KUBECONFIG"
	imageEnv      = "WAYWARDEN_TEST_IMAGE"
	nodeEnv       = "WAYWARDEN_KIND_NODE"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "test-kind: nothing was shown:", err)
		os.Exit(1)
	}
	fmt.Println("test-kind: the suite passed in both certificate variants")
}

func run(ctx context.Context) error {
	if file := os.Getenv(kubeconfigEnv); file != "" {
		image := os.Getenv(imageEnv)
		if image == "" {
			return fmt.Errorf("the cluster of %s has no image to run: set %s to one that its nodes can pull, as in registry/waywarden:tag", kubeconfigEnv, imageEnv)
		}
		return suite(ctx, target{kubeconfig: file, image: image})
	}
	node := os.Getenv(nodeEnv)
	if node == "" {
		node = defaultNode
	}
	if err := missing(ctx, node); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "waywarden-kind-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	name := "waywarden-" + strings.TrimPrefix(filepath.Base(dir), "waywarden-kind-")
	kubeconfig := filepath.Join(dir, "kubeconfig")
	// Whatever happens, and also after an interrupt, the cluster goes.
	defer func() {
		if err := tool(context.WithoutCancel(ctx), kindTool, "delete", "cluster", "--name", name, "--kubeconfig", kubeconfig); err != nil {
			fmt.Fprintln(os.Stderr, "test-kind: the cluster is left behind:", err)
		}
	}()
	const image = "waywarden.test/waywarden:kind"
	for _, step := range [][]string{
		{"docker", "build", "--tag", image, "."},
		{"go", "run", kindTool, "create", "cluster", "--name", name, "--image", node, "--kubeconfig", kubeconfig, "--wait", "3m"},
		{"go", "run", kindTool, "load", "docker-image", image, "--name", name},
	} {
		if err := command(ctx, nil, step...); err != nil {
			return err
		}
	}
	return suite(ctx, target{kubeconfig: kubeconfig, image: image})
}

// missing says what keeps a kind cluster from being made here; nil if nothing does.
func missing(ctx context.Context, node string) error {
	if _, err := exec.LookPath("docker"); err != nil {
		return fmt.Errorf("there is no Docker engine: the command docker is not installed. Install Docker, or set %s to a kubeconfig of a cluster", kubeconfigEnv)
	}
	if out, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").CombinedOutput(); err != nil {
		return fmt.Errorf("there is no Docker engine: docker cannot reach one (%s). Start it, or set %s to a kubeconfig of a cluster", lastLine(out), kubeconfigEnv)
	}
	if exec.CommandContext(ctx, "docker", "image", "inspect", node).Run() == nil {
		return nil
	}
	if out, err := exec.CommandContext(ctx, "docker", "pull", node).CombinedOutput(); err != nil {
		return fmt.Errorf("there is no node image: %s is not here and cannot be pulled (%s). Load it with docker load, or set %s to one that is here", node, lastLine(out), nodeEnv)
	}
	return nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// tool runs a Go program at a version.
func tool(ctx context.Context, module string, args ...string) error {
	return command(ctx, nil, append([]string{"go", "run", module}, args...)...)
}

// command runs a program, with its output on ours, and says which it was if it fails.
func command(ctx context.Context, env []string, line ...string) error {
	fmt.Println("+", strings.Join(line, " "))
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(line, " "), err)
	}
	return nil
}
