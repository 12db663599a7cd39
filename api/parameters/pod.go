package parameters

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	inPatch = "spec.patch.spec"
	inPod   = inPatch + ".template.spec"
)

// rollout finds what an API server would refuse of how a Deployment is rolled out (kubernetes pkg/apis/apps/validation
// ValidateDeploymentSpec).
func (c *checker) rollout(d *appsv1.Deployment) {
	at := inPatch + ".strategy"
	switch s := d.Spec.Strategy; s.Type {
	case "", appsv1.RollingUpdateDeploymentStrategyType:
		if r := s.RollingUpdate; r != nil && none(r.MaxSurge) && none(r.MaxUnavailable) {
			c.fail(at+".rollingUpdate", "with a maxSurge or a maxUnavailable that is not 0", "without")
		}
	default:
		// The API server takes Recreate of a new Deployment only: of one that is there it has filled in rollingUpdate.
		c.fail(at+".type", "RollingUpdate, as any other takes all pods of a waypoint away at once,", fmt.Sprintf("%q", s.Type))
	}
	c.labels("metadata.labels", d.Labels)
	c.labels("spec.template.metadata.labels", d.Spec.Template.Labels)
}

// labels are those at a place of the patch.
func (c *checker) labels(at string, labels map[string]string) {
	for _, e := range inOrder(metavalidation.ValidateLabels(labels, field.NewPath("spec.patch."+at))) {
		c.fail(e.Field, "as in any labels", fmt.Sprintf("%v (%s)", e.BadValue, e.Detail))
	}
}

// inOrder are errors in an order of their own: that of labels is the one in which a map happens to be gone through.
func inOrder(errs field.ErrorList) field.ErrorList {
	slices.SortFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

// none is whether a number or percentage is set, and 0.
func none(v *intstr.IntOrString) bool {
	if v == nil {
		return false
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(v, 100, true)
	return err == nil && n == 0
}

// pod finds what an API server would refuse of a pod's containers and volumes (kubernetes pkg/apis/core/validation
// ValidatePodTemplateSpec), as far as a patch is likely to get it wrong.
func (c *checker) pod(pod *corev1.PodSpec) {
	if pod.RestartPolicy != "" && pod.RestartPolicy != corev1.RestartPolicyAlways {
		c.fail(inPod+".restartPolicy", "Always, as for any Deployment,", fmt.Sprintf("%q", pod.RestartPolicy))
	}
	var volumes, containers []string
	for _, v := range pod.Volumes {
		volumes = append(volumes, v.Name)
	}
	c.names(inPod+".volumes", volumes)
	for i := range pod.Containers {
		containers = append(containers, pod.Containers[i].Name)
		c.container(inPod+".containers", &pod.Containers[i], volumes)
	}
	for i := range pod.InitContainers {
		containers = append(containers, pod.InitContainers[i].Name)
		c.container(inPod+".initContainers", &pod.InitContainers[i], volumes)
	}
	c.names(inPod+".containers", containers)
}

// names are those of a list, each a DNS label and there once.
func (c *checker) names(at string, all []string) {
	for i, name := range all {
		switch {
		case len(validation.IsDNS1123Label(name)) > 0:
			c.fail(at, "each with a DNS label as its name", fmt.Sprintf("one called %q", name))
		case slices.Contains(all[:i], name):
			c.fail(at, "each with a name of its own", fmt.Sprintf("two called %q", name))
		}
	}
}

func (c *checker) container(at string, p *corev1.Container, volumes []string) {
	for _, port := range p.Ports {
		if len(validation.IsValidPortNum(int(port.ContainerPort))) > 0 {
			c.fail(at, "each with ports from 1 to 65535", fmt.Sprintf("%d in %s", port.ContainerPort, p.Name))
		}
		if port.Name != "" && len(validation.IsValidPortName(port.Name)) > 0 {
			c.fail(at, "each with port names of at most 15 letters, digits and hyphens", fmt.Sprintf("%q in %s", port.Name, p.Name))
		}
	}
	for _, m := range p.VolumeMounts {
		if !slices.Contains(volumes, m.Name) {
			c.fail(at, "each with mounts of volumes that there are", fmt.Sprintf("%q in %s", m.Name, p.Name))
		}
	}
	for _, e := range p.Env {
		if e.Name == "" {
			c.fail(at, "each with env that has names", fmt.Sprintf("one without in %s", p.Name))
		}
	}
}

// resourceNames are those that need no prefix. hugepages- has many.
var resourceNames = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}

// resource is whether a container can ask for a resource of that name.
func (c *checker) resource(at string, name corev1.ResourceName) {
	if slices.Contains(resourceNames, name) || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) ||
		strings.Contains(string(name), "/") && len(validation.IsQualifiedName(string(name))) == 0 {
		return
	}
	c.fail(at, "of cpu, memory, ephemeral-storage, hugepages-…, or a name with a domain as in example.com/device,", fmt.Sprintf("%q", name))
}

// nodes finds what is wrong with the terms by which nodes are chosen.
func (c *checker) nodes(at string, terms []corev1.NodeSelectorTerm) {
	for _, t := range terms {
		for _, r := range t.MatchExpressions {
			if len(validation.IsQualifiedName(r.Key)) > 0 {
				c.fail(at, "with keys as of any label", fmt.Sprintf("%q", r.Key))
			}
			c.requirement(at, r)
		}
		for _, r := range t.MatchFields {
			if r.Key != "metadata.name" || len(r.Values) != 1 || r.Operator != corev1.NodeSelectorOpIn && r.Operator != corev1.NodeSelectorOpNotIn {
				c.fail(at, "with matchFields of one metadata.name, In or NotIn,", fmt.Sprintf("%s %s %v", r.Key, r.Operator, r.Values))
			}
		}
	}
}

func (c *checker) requirement(at string, r corev1.NodeSelectorRequirement) {
	got := fmt.Sprintf("%s %s %v", r.Key, r.Operator, r.Values)
	switch r.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(r.Values) == 0 {
			c.fail(at, "with values for In and NotIn", got)
		}
		for _, v := range r.Values {
			if len(validation.IsValidLabelValue(v)) > 0 {
				c.fail(at, "with values as of any label", got)
			}
		}
	case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
		if len(r.Values) > 0 {
			c.fail(at, "without values for Exists and DoesNotExist", got)
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(r.Values) != 1 {
			c.fail(at, "with one value for Gt and Lt", got)
		}
	default:
		c.fail(at, "with operators In, NotIn, Exists, DoesNotExist, Gt and Lt", got)
	}
}
