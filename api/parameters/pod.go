package parameters

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
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
		if r := s.RollingUpdate; r != nil {
			c.share(at+".rollingUpdate.maxSurge", r.MaxSurge, math.MaxInt32)
			c.share(at+".rollingUpdate.maxUnavailable", r.MaxUnavailable, 100)
			if none(r.MaxSurge) && none(r.MaxUnavailable) {
				c.fail(at+".rollingUpdate", "with a maxSurge or a maxUnavailable that is not 0", "without")
			}
		}
	default:
		// The API server takes Recreate of a new Deployment only: of one that is there it has filled in rollingUpdate.
		c.fail(at+".type", "RollingUpdate, as any other takes all pods of a waypoint away at once,", fmt.Sprintf("%q", s.Type))
	}
	c.atLeast(inPatch+".minReadySeconds", int64(d.Spec.MinReadySeconds), 0)
	if n := d.Spec.RevisionHistoryLimit; n != nil {
		c.atLeast(inPatch+".revisionHistoryLimit", int64(*n), 0)
	}
	deadline := int32(600) // what the API server fills in
	if n := d.Spec.ProgressDeadlineSeconds; n != nil {
		deadline = *n
	}
	if deadline <= d.Spec.MinReadySeconds {
		c.fail(inPatch+".progressDeadlineSeconds", fmt.Sprintf("more than minReadySeconds, which is %d,", d.Spec.MinReadySeconds), fmt.Sprint(deadline))
	}
	c.labels("metadata.labels", d.Labels)
	c.labels("spec.template.metadata.labels", d.Spec.Template.Labels)
	c.annotations("metadata.annotations", d.Annotations)
	c.annotations("spec.template.metadata.annotations", d.Spec.Template.Annotations)
}

// annotations are those at a place of the patch.
func (c *checker) annotations(at string, annotations map[string]string) {
	for _, e := range inOrder(apivalidation.ValidateAnnotations(annotations, field.NewPath("spec.patch."+at))) {
		c.fail(e.Field, "as in any annotations", fmt.Sprintf("%v (%s)", e.BadValue, e.Detail))
	}
}

func (c *checker) user(at string, id *int64) {
	if id != nil && (*id < 0 || *id > math.MaxInt32) {
		c.fail(at, fmt.Sprintf("from 0 to %d", math.MaxInt32), fmt.Sprint(*id))
	}
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

func (c *checker) atLeast(at string, n, least int64) {
	if n < least {
		c.fail(at, fmt.Sprintf("%d or more", least), fmt.Sprint(n))
	}
}

// share is a number of pods, or a percentage of at most so many.
func (c *checker) share(at string, v *intstr.IntOrString, most int) {
	if v == nil {
		return
	}
	wrong := v.IntVal < 0
	if v.Type == intstr.String {
		n, err := strconv.Atoi(strings.TrimSuffix(v.StrVal, "%"))
		wrong = len(validation.IsValidPercent(v.StrVal)) > 0 || err != nil || n > most
	}
	if wrong {
		c.fail(at, "a number of pods, or a percentage such as 25%,", fmt.Sprintf("%q", v.String()))
	}
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
	c.labels("spec.template.spec.nodeSelector", pod.NodeSelector)
	if s := pod.SecurityContext; s != nil {
		c.user(inPod+".securityContext.runAsUser", s.RunAsUser)
		c.user(inPod+".securityContext.runAsGroup", s.RunAsGroup)
	}
	if n := pod.ActiveDeadlineSeconds; n != nil {
		c.fail(inPod+".activeDeadlineSeconds", "left out, as for any Deployment,", fmt.Sprint(*n))
	}
	var volumes, containers []string
	for _, v := range pod.Volumes {
		volumes = append(volumes, v.Name)
		if sources, _ := plain(v.VolumeSource).(object); len(sources) > 1 {
			c.fail(inPod+".volumes", "each of one source: null takes the one away that istiod renders,", fmt.Sprintf("%q of %s", v.Name, strings.Join(slices.Sorted(maps.Keys(sources)), " and ")))
		}
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
		if m.MountPath == "" {
			c.fail(at, "each with mounts that have paths", fmt.Sprintf("one of %q without in %s", m.Name, p.Name))
		}
	}
	if s := p.SecurityContext; s != nil {
		c.user(at+".securityContext.runAsUser", s.RunAsUser)
		c.user(at+".securityContext.runAsGroup", s.RunAsGroup)
	}
	for _, probe := range []*corev1.Probe{p.ReadinessProbe, p.LivenessProbe, p.StartupProbe} {
		c.probe(at, p.Name, probe)
	}
	c.env(at, p)
}

// probe is one of a container's.
func (c *checker) probe(at, name string, probe *corev1.Probe) {
	if probe == nil {
		return
	}
	if handlers, _ := plain(probe.ProbeHandler).(object); len(handlers) != 1 {
		c.fail(at, "each with probes of one kind: null takes the one away that istiod renders,", fmt.Sprintf("%d in %s", len(handlers), name))
	}
	if least := min(probe.InitialDelaySeconds, probe.TimeoutSeconds, probe.PeriodSeconds, probe.SuccessThreshold, probe.FailureThreshold); least < 0 {
		c.fail(at, "each with probes whose numbers are not negative", fmt.Sprintf("%d in %s", least, name))
	}
	var ports []intstr.IntOrString
	if h := probe.HTTPGet; h != nil {
		ports = append(ports, h.Port)
	}
	if h := probe.TCPSocket; h != nil {
		ports = append(ports, h.Port)
	}
	for _, port := range ports {
		if port.Type == intstr.Int && len(validation.IsValidPortNum(port.IntValue())) > 0 || port.Type == intstr.String && len(validation.IsValidPortName(port.StrVal)) > 0 {
			c.fail(at, "each with probes of ports from 1 to 65535, or of their names,", fmt.Sprintf("%q in %s", port.String(), name))
		}
	}
}

func (c *checker) env(at string, p *corev1.Container) {
	for _, e := range p.Env {
		if e.Name == "" {
			c.fail(at, "each with env that has names", fmt.Sprintf("one without in %s", p.Name))
		}
		if e.ValueFrom == nil {
			continue
		}
		switch sources, _ := plain(e.ValueFrom).(object); {
		case e.Value != "":
			c.fail(at, "each with env of a value or a valueFrom: null takes the one away that istiod renders,", fmt.Sprintf("both for %s in %s", e.Name, p.Name))
		case len(sources) != 1:
			c.fail(at, "each with env of one valueFrom: null takes the one away that istiod renders,", fmt.Sprintf("%d for %s in %s", len(sources), e.Name, p.Name))
		}
	}
}
