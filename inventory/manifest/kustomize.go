package manifest

import (
	"fmt"
	"path/filepath"
	"strings"
)

// A Kustomization is not a Kubernetes object but says how others are changed before they are stored. Its resources are
// read as they are written, since most are whole objects; its patches are not, since they are pieces of objects.

func isKustomizationFile(name string) bool {
	switch name {
	case "kustomization.yaml", "kustomization.yml", "Kustomization":
		return true
	}
	return false
}

// isKustomization reports whether content is kustomize's. Flux has a kind of that name too; that one is an object.
func isKustomization(content map[string]any) bool {
	version, _ := content["apiVersion"].(string)
	return strings.HasPrefix(version, "kustomize.config.k8s.io/")
}

func kustomizationProblem(file string, line int) Problem {
	return Problem{File: file, Line: line, Message: fmt.Sprintf(
		"its overlays are not applied: this is a Kustomization, and the objects it names are evaluated as they are written. "+
			"Run kustomize build %s | waywarden scan -.", shellPath(filepath.Dir(file)))}
}

// patchFiles are the files that a Kustomization in dir uses as something else than whole objects.
func patchFiles(dir string, content map[string]any) []string {
	var names []string
	for _, field := range []string{"patchesStrategicMerge", "configurations", "crds", "transformers", "generators"} {
		list, _ := content[field].([]any)
		for _, v := range list {
			if s, ok := v.(string); ok {
				names = append(names, s)
			}
		}
	}
	for _, field := range []string{"patches", "patchesJson6902", "replacements"} {
		list, _ := content[field].([]any)
		for _, v := range list {
			m, _ := v.(map[string]any)
			if s, ok := m["path"].(string); ok {
				names = append(names, s)
			}
		}
	}
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	return names
}

// shellPath quotes a path for the command line of a remedy.
func shellPath(path string) string {
	if strings.ContainsAny(path, " \t\"'$&;|<>()*?\\") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
