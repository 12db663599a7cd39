//go:build cluster

package api

import (
	"fmt"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/api/v1alpha1"
)

// deployed is the Deployment that a default installation of Istio makes for a waypoint by a profile, whether an API server takes it or not:
// what istiod renders, with the parameters merged over it (deploymentcontroller.go strategicMergePatchYAML).
func deployed(spec *v1alpha1.WaypointProfileSpec) (map[string]any, error) {
	base, err := os.ReadFile("../../api/parameters/base.yaml")
	if err != nil {
		return nil, err
	}
	data, err := parameters.Render(spec)
	if err != nil {
		return nil, err
	}
	over := map[string]any{}
	if err := yaml.Unmarshal([]byte(data[parameters.Deployment]), &over); err != nil {
		return nil, err
	}
	for doc := range strings.SplitSeq(string(base), "\n---\n") {
		rendered := map[string]any{}
		if err := yaml.Unmarshal([]byte(doc), &rendered); err != nil {
			return nil, err
		}
		if rendered["kind"] == "Deployment" {
			return strategicpatch.StrategicMergeMapPatch(rendered, over, appsv1.Deployment{})
		}
	}
	return nil, fmt.Errorf("base.yaml has no Deployment")
}
