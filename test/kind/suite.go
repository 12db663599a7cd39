package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// target is a cluster, and the image that its nodes have or can pull.
type target struct{ kubeconfig, image string }

const (
	namespace   = "waywarden-system"
	istioCharts = "https://istio-release.storage.googleapis.com/charts"
	istio       = "1.31.1"
	certManager = "v1.21.2"
)

// variants are the ways to install that are shown.
var variants = []string{"self-signed", "cert-manager"}

// suite installs what the tests need, and runs them once in each variant.
func suite(ctx context.Context, t target) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	for _, variant := range variants {
		if err := t.run(ctx, variant); err != nil {
			return fmt.Errorf("certificate.source=%s: %w", variant, err)
		}
	}
	return nil
}

// prepare installs the CRDs, istiod and cert-manager.
func (t target) prepare(ctx context.Context) error {
	for module, crds := range map[string]string{
		"istio.io/api":            "kubernetes/customresourcedefinitions.gen.yaml",
		"sigs.k8s.io/gateway-api": "config/crd/standard",
	} {
		dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			return fmt.Errorf("find the CRDs of %s: %w", module, err)
		}
		if err := t.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", filepath.Join(strings.TrimSpace(string(dir)), crds)); err != nil {
			return err
		}
	}
	if err := t.helm(ctx, "upgrade", "--install", "istiod", "istiod", "--repo", istioCharts, "--version", istio,
		"--namespace", "istio-system", "--create-namespace", "--set", "profile=ambient", "--wait"); err != nil {
		return err
	}
	return t.helm(ctx, "upgrade", "--install", "cert-manager", "cert-manager", "--repo", "https://charts.jetstack.io", "--version", certManager,
		"--namespace", "cert-manager", "--create-namespace", "--set", "crds.enabled=true", "--wait")
}

// run is one variant: install, prove that admission is in force, run the suite, uninstall, and see that nothing blocks.
func (t target) run(ctx context.Context, variant string) error {
	repository, tag, ok := cutLast(t.image, ":")
	if !ok {
		return fmt.Errorf("image %s has no tag: name one, as in registry/waywarden:tag", t.image)
	}
	if err := t.helm(ctx, "upgrade", "--install", "waywarden", "charts/waywarden", "--namespace", namespace, "--create-namespace",
		"--set", "image.repository="+repository, "--set", "image.tag="+tag, "--set", "certificate.source="+variant, "--wait", "--timeout", "5m"); err != nil {
		return errors.Join(err, t.kubectl(ctx, "-n", namespace, "describe", "pods"), t.kubectl(ctx, "-n", namespace, "logs", "deployment/waywarden", "--tail=100"))
	}
	if err := t.inForce(ctx); err != nil {
		return err
	}
	if err := command(ctx, []string{"WAYWARDEN_TEST_KUBECONFIG=" + t.kubeconfig}, "go", "test", "-tags", "cluster", "-count=1", "-timeout", "30m", "./test/e2e/...", "./test/admission"); err != nil {
		return err
	}
	if err := t.helm(ctx, "uninstall", "waywarden", "--namespace", namespace, "--wait"); err != nil {
		return err
	}
	left, err := t.get(ctx, "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-l", "app.kubernetes.io/name=waywarden", "-o", "name")
	if err == nil && left != "" {
		err = fmt.Errorf("the release is gone, and its webhooks are left behind: %s", left)
	}
	return err
}

// inForce waits until failurePolicy is Fail: the API server called us, and we refused the canary.
func (t target) inForce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		policy, err := t.get(ctx, "validatingwebhookconfiguration", "waywarden", "-o", `jsonpath={.webhooks[?(@.name=="policies.waywarden.dev")].failurePolicy}`)
		if policy == "Fail" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the canary was not refused in time: failurePolicy is %q (%v). The leader's log says what became of it", policy, err)
		case <-time.After(2 * time.Second):
		}
	}
}

func (t target) helm(ctx context.Context, args ...string) error {
	return command(ctx, []string{"KUBECONFIG=" + t.kubeconfig}, append([]string{"go", "run", helmTool}, args...)...)
}

func (t target) kubectl(ctx context.Context, args ...string) error {
	return command(ctx, []string{"KUBECONFIG=" + t.kubeconfig}, append([]string{"kubectl"}, args...)...)
}

func (t target) get(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "kubectl", append([]string{"--kubeconfig", t.kubeconfig, "get"}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}

// cutLast cuts at the last sep, as the host of an image may have a port.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 || strings.Contains(s[i:], "/") {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
