package parameters

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

// decode reads into a type of Kubernetes as strictly as server-side apply does, which refuses fields that there are not.
func decode(raw []byte, into any) []string {
	strict, err := kjson.UnmarshalStrict(raw, into)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range strict {
		out = append(out, e.Error())
	}
	return out
}

// deployment finds what an API server would refuse of a waypoint's Deployment, or what would make it none. was is how istiod renders it.
func (c *checker) deployment(was, d *appsv1.Deployment) {
	if metav1.FormatLabelSelector(was.Spec.Selector) != metav1.FormatLabelSelector(d.Spec.Selector) {
		c.fail(inPatch+".selector", "left out, as nobody can change the selector of a Deployment,", "changed")
	}
	c.reserved("spec.patch.metadata.labels", was.Labels, d.Labels)
	c.reserved("spec.patch.metadata.annotations", was.Annotations, d.Annotations)
	template, rendered := &d.Spec.Template, &was.Spec.Template
	c.reserved(inPatch+".template.metadata.labels", rendered.Labels, template.Labels)
	c.reserved(inPatch+".template.metadata.annotations", rendered.Annotations, template.Annotations)
	pod := &d.Spec.Template.Spec
	if pod.ServiceAccountName != baseName {
		c.fail(inPod+".serviceAccountName", "left out, as it is the waypoint's identity,", fmt.Sprintf("%q", pod.ServiceAccountName))
	}
	if i := slices.IndexFunc(pod.Containers, func(p corev1.Container) bool { return p.Name == container }); i < 0 {
		c.fail(inPod+".containers", "with "+container+", which is the waypoint,", "without it")
	}
	for _, p := range slices.Concat(pod.Containers, pod.InitContainers) {
		if p.Image == "" {
			c.fail(inPod+".containers", "each with an image", fmt.Sprintf("one without: %q", p.Name))
		}
		c.resources(p, pod.ResourceClaims)
	}
	c.rollout(d)
	c.pod(pod)
	c.spreads(pod.TopologySpreadConstraints)
	c.tolerations(pod.Tolerations)
	c.affinity(pod.Affinity)
}
