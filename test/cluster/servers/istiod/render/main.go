// Command render writes what istiod needs in a cluster besides itself, as its own chart renders it
// with the ambient profile: the CRDs, and the ConfigMaps istio and istio-sidecar-injector.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"istio.io/istio/operator/pkg/helm"
	"istio.io/istio/operator/pkg/values"
	"k8s.io/apimachinery/pkg/version"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: render FOLDER")
		os.Exit(2)
	}
	if err := render(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func render(dir string) error {
	profile := values.Map{"spec": values.Map{"values": values.Map{"profile": "ambient"}}}
	kube := &version.Info{GitVersion: "v1.37.2", Major: "1", Minor: "37"}
	manifests, _, err := helm.Render("istiod", "istio-system", "istio-control/istio-discovery", profile, kube)
	if err != nil {
		return err
	}
	var keep []string
	for _, m := range manifests {
		if m.GetKind() == "ConfigMap" {
			keep = append(keep, m.Content)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "configmaps.yaml"), []byte(strings.Join(keep, "\n---\n")), 0o644)
}
