package parameters

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"istio.io/api/label"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// The keys that istiod knows, each the overlay of one object; it refuses all parameters where there is another one.
// Without the last two it makes no such object (deploymentcontroller.go supportedOverlays, requiredOverlays).
const (
	Deployment              = "deployment"
	Service                 = "service"
	ServiceAccount          = "serviceAccount"
	HorizontalPodAutoscaler = "horizontalPodAutoscaler"
	PodDisruptionBudget     = "podDisruptionBudget"
)

// container is what istiod calls the waypoint's.
const container = "istio-proxy"

// The labels of what istiod makes of a Gateway.
var gatewayName, gatewayManaged = label.IoK8sNetworkingGatewayGatewayName.Name, label.GatewayManaged.Name

const (
	defaultTarget      = 80
	defaultMinReplicas = 1
)

type object = map[string]any

// Render is the data of the ConfigMap, which is empty for a profile that asks for nothing. The same profile
// gives the same bytes. The error is for a patch that is no mapping.
func Render(spec *v1alpha1.WaypointProfileSpec) (map[string]string, error) {
	overlays := map[string]object{
		Deployment: deployment(spec), Service: described(spec), ServiceAccount: described(spec),
		HorizontalPodAutoscaler: autoscaler(spec), PodDisruptionBudget: budget(spec),
	}
	if spec.Patch != nil && len(spec.Patch.Raw) > 0 {
		patch := object{}
		if err := json.Unmarshal(spec.Patch.Raw, &patch); err != nil {
			return nil, fmt.Errorf("read the patch: %w", err)
		}
		over(overlays[Deployment], patch)
	}
	maps.DeleteFunc(overlays, func(_ string, overlay object) bool { return len(overlay) == 0 })
	if err := stamp(overlays); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for key, overlay := range overlays {
		text, err := yaml.Marshal(overlay)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", key, err)
		}
		out[key] = string(text)
	}
	return out, nil
}

func described(spec *v1alpha1.WaypointProfileSpec) object {
	metadata := object{}
	put(metadata, "labels", texts(spec.Labels))
	put(metadata, "annotations", texts(spec.Annotations))
	out := object{}
	put(out, "metadata", metadata)
	return out
}

func deployment(spec *v1alpha1.WaypointProfileSpec) object {
	pod := object{}
	if spec.Resources != nil {
		pod["containers"] = []any{object{"name": container, "resources": plain(spec.Resources)}}
	}
	if spec.Affinity != nil {
		pod["affinity"] = plain(spec.Affinity)
	}
	if len(spec.TopologySpreadConstraints) > 0 {
		pod["topologySpreadConstraints"] = plain(spread(spec.TopologySpreadConstraints))
	}
	if len(spec.Tolerations) > 0 {
		pod["tolerations"] = plain(spec.Tolerations)
	}
	put(pod, "nodeSelector", texts(spec.NodeSelector))
	if spec.PriorityClassName != "" {
		pod["priorityClassName"] = spec.PriorityClassName
	}
	template := described(spec)
	put(template, "spec", pod)
	inner := object{}
	put(inner, "template", template)
	if spec.Replicas != nil {
		inner["replicas"] = int64(*spec.Replicas)
	}
	out := described(spec)
	put(out, "spec", inner)
	return out
}

// spread has each constraint count the pods of the one waypoint where it does not say which: of what istiod made, those
// with the same name of a Gateway as the pod that is scheduled.
func spread(constraints []corev1.TopologySpreadConstraint) []corev1.TopologySpreadConstraint {
	out := make([]corev1.TopologySpreadConstraint, len(constraints))
	for i, c := range constraints {
		if c.LabelSelector == nil {
			c.LabelSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: gatewayManaged, Operator: metav1.LabelSelectorOpExists}}}
			if !slices.Contains(c.MatchLabelKeys, gatewayName) {
				c.MatchLabelKeys = append(c.MatchLabelKeys[:len(c.MatchLabelKeys):len(c.MatchLabelKeys)], gatewayName)
			}
		}
		out[i] = c
	}
	return out
}

func autoscaler(spec *v1alpha1.WaypointProfileSpec) object {
	a := spec.Autoscaling
	if a == nil {
		return nil
	}
	least, target := a.MinReplicas, a.TargetCPUUtilization
	if least == 0 {
		least = defaultMinReplicas
	}
	if target == 0 {
		target = defaultTarget
	}
	out := described(spec)
	out["spec"] = object{"minReplicas": int64(least), "maxReplicas": int64(a.MaxReplicas), "metrics": []any{object{
		"type": "Resource", "resource": object{"name": "cpu", "target": object{"type": "Utilization", "averageUtilization": int64(target)}}}}}
	return out
}

func budget(spec *v1alpha1.WaypointProfileSpec) object {
	b := spec.DisruptionBudget
	if b == nil {
		return nil
	}
	rule := object{}
	if b.MinAvailable != nil {
		rule["minAvailable"] = plain(b.MinAvailable)
	}
	if b.MaxUnavailable != nil {
		rule["maxUnavailable"] = plain(b.MaxUnavailable)
	}
	out := described(spec)
	out["spec"] = rule
	return out
}

// MinAvailable is how many pods have to be ready before anything is sent to a new waypoint: as many as its disruption
// budget keeps, at least one.
func MinAvailable(spec *v1alpha1.WaypointProfileSpec) int {
	replicas := replicas(spec)
	return min(max(1, kept(spec, replicas)), replicas)
}

// Spare is how many pods of a waypoint may go at once while there are as few as there can be; -1 where nothing limits it.
func Spare(spec *v1alpha1.WaypointProfileSpec) int {
	if spec.DisruptionBudget == nil {
		return -1
	}
	replicas := replicas(spec)
	return max(0, replicas-kept(spec, replicas))
}

// replicas is how many pods there are at least.
func replicas(spec *v1alpha1.WaypointProfileSpec) int {
	switch {
	case spec.Autoscaling != nil:
		return max(1, int(spec.Autoscaling.MinReplicas))
	case spec.Replicas != nil:
		return int(*spec.Replicas)
	}
	return 1
}

// kept is how many of so many pods the disruption budget keeps.
func kept(spec *v1alpha1.WaypointProfileSpec, replicas int) int {
	switch b := spec.DisruptionBudget; {
	case b == nil:
	case b.MinAvailable != nil:
		return scaled(b.MinAvailable, replicas)
	case b.MaxUnavailable != nil:
		return replicas - scaled(b.MaxUnavailable, replicas)
	}
	return 0
}

// put leaves out what is empty: an empty mapping in an overlay would say nothing.
func put(in object, key string, value object) {
	if len(value) > 0 {
		in[key] = value
	}
}

func texts(m map[string]string) object {
	out := make(object, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// plain is a value as JSON has it. It panics on what is none: each is a type of Kubernetes.
func plain(value any) any {
	raw, err := json.Marshal(value)
	if err != nil {
		panic("parameters: " + err.Error())
	}
	var out any
	if err := yaml.Unmarshal(raw, &out); err != nil {
		panic("parameters: " + err.Error())
	}
	return out
}

// scaled is a number of pods, a percentage rounded up as Kubernetes does.
func scaled(value *intstr.IntOrString, of int) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(value, of, true)
	if err != nil {
		return 1 // which Validate refuses
	}
	return n
}
