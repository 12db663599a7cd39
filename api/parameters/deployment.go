package parameters

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
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
	if !reflect.DeepEqual(was.Spec.Selector, d.Spec.Selector) {
		c.fail(inPatch+".selector", "left out, as nobody can change the selector of a Deployment,", "changed")
	}
	c.reserved("spec.patch.metadata.labels", was.Labels, d.Labels)
	c.reserved("spec.patch.metadata.annotations", was.Annotations, d.Annotations)
	template, rendered := &d.Spec.Template, &was.Spec.Template
	c.reserved(inPatch+".template.metadata.labels", rendered.Labels, template.Labels)
	c.reserved(inPatch+".template.metadata.annotations", rendered.Annotations, template.Annotations)
	pod := &d.Spec.Template.Spec
	if pod.ServiceAccountName != baseName {
		c.fail("spec.patch.spec.template.spec.serviceAccountName", "left out, as it is the waypoint's identity,", fmt.Sprintf("%q", pod.ServiceAccountName))
	}
	if i := slices.IndexFunc(pod.Containers, func(p corev1.Container) bool { return p.Name == container }); i < 0 {
		c.fail("spec.patch.spec.template.spec.containers", "with "+container+", which is the waypoint,", "without it")
	}
	for _, p := range pod.Containers {
		if p.Image == "" {
			c.fail("spec.patch.spec.template.spec.containers", "each with an image", fmt.Sprintf("one without: %q", p.Name))
		}
		c.resources(p)
	}
	c.rollout(d)
	c.pod(pod)
	c.spreads(pod.TopologySpreadConstraints)
	c.tolerations(pod.Tolerations)
	c.affinity(pod.Affinity)
}

func (c *checker) resources(p corev1.Container) {
	at := "spec.resources"
	if p.Name != container {
		at = "spec.patch.spec.template.spec.containers"
	}
	for _, name := range slices.Sorted(maps.Keys(p.Resources.Limits)) {
		c.resource(at+".limits", name)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Resources.Requests)) {
		c.resource(at+".requests", name)
		request := p.Resources.Requests[name]
		if request.Sign() < 0 {
			c.fail(at+".requests", "not negative", string(name)+": "+request.String())
		}
		if limit, ok := p.Resources.Limits[name]; ok && request.Cmp(limit) > 0 {
			c.fail(at+".requests", fmt.Sprintf("at most the limit, which is %s of %s (Istio's own where the profile has none),", limit.String(), name), request.String())
		}
	}
}

func (c *checker) spreads(all []corev1.TopologySpreadConstraint) {
	for i, s := range all {
		at := fmt.Sprintf("spec.topologySpreadConstraints[%d]", i)
		if s.MaxSkew < 1 {
			c.fail(at+".maxSkew", "1 or more", fmt.Sprint(s.MaxSkew))
		}
		if s.TopologyKey == "" {
			c.fail(at+".topologyKey", "the label of nodes that tells them apart, as in topology.kubernetes.io/zone,", "empty")
		}
		if s.WhenUnsatisfiable != corev1.DoNotSchedule && s.WhenUnsatisfiable != corev1.ScheduleAnyway {
			c.fail(at+".whenUnsatisfiable", "DoNotSchedule or ScheduleAnyway", fmt.Sprintf("%q", s.WhenUnsatisfiable))
		}
		c.selector(at+".labelSelector", s.LabelSelector)
	}
}

func (c *checker) tolerations(all []corev1.Toleration) {
	for i, t := range all {
		at := fmt.Sprintf("spec.tolerations[%d]", i)
		switch t.Operator {
		case "", corev1.TolerationOpEqual:
			if t.Key == "" {
				c.fail(at+".operator", "Exists where there is no key", fmt.Sprintf("%q", t.Operator))
			}
		case corev1.TolerationOpExists:
			if t.Value != "" {
				c.fail(at+".value", "left out with operator Exists", fmt.Sprintf("%q", t.Value))
			}
		case corev1.TolerationOpLt, corev1.TolerationOpGt: // behind a feature gate, which is not ours to know
		default:
			c.fail(at+".operator", "Exists or Equal", fmt.Sprintf("%q", t.Operator))
		}
		switch t.Effect {
		case "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
		default:
			c.fail(at+".effect", "NoSchedule, PreferNoSchedule or NoExecute", fmt.Sprintf("%q", t.Effect))
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			c.fail(at+".effect", "NoExecute with tolerationSeconds", fmt.Sprintf("%q", t.Effect))
		}
	}
}

func (c *checker) selector(at string, s *metav1.LabelSelector) {
	if s == nil {
		return
	}
	for _, e := range inOrder(metavalidation.ValidateLabelSelector(s, metavalidation.LabelSelectorValidationOptions{}, field.NewPath(at))) {
		c.fail(e.Field, "as in any label selector", fmt.Sprintf("%v (%s)", e.BadValue, e.Detail))
	}
}

// affinity looks at the topology of pod terms, at the weights, and at how nodes are chosen.
func (c *checker) affinity(a *corev1.Affinity) {
	if a == nil {
		return
	}
	const at = "spec.affinity"
	var terms []corev1.PodAffinityTerm
	var weights []int32
	if p := a.PodAffinity; p != nil {
		terms = append(terms, p.RequiredDuringSchedulingIgnoredDuringExecution...)
		for _, w := range p.PreferredDuringSchedulingIgnoredDuringExecution {
			terms, weights = append(terms, w.PodAffinityTerm), append(weights, w.Weight)
		}
	}
	if p := a.PodAntiAffinity; p != nil {
		terms = append(terms, p.RequiredDuringSchedulingIgnoredDuringExecution...)
		for _, w := range p.PreferredDuringSchedulingIgnoredDuringExecution {
			terms, weights = append(terms, w.PodAffinityTerm), append(weights, w.Weight)
		}
	}
	if n := a.NodeAffinity; n != nil {
		for _, w := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			weights = append(weights, w.Weight)
			c.nodes(at+".nodeAffinity", []corev1.NodeSelectorTerm{w.Preference})
		}
		if r := n.RequiredDuringSchedulingIgnoredDuringExecution; r != nil && len(r.NodeSelectorTerms) == 0 {
			c.fail(at+".nodeAffinity", "with at least one term", "without")
		} else if r != nil {
			c.nodes(at+".nodeAffinity", r.NodeSelectorTerms)
		}
	}
	for _, t := range terms {
		if t.TopologyKey == "" {
			c.fail(at, "with a topologyKey in each term for pods", "one without")
		}
		c.selector(at, t.LabelSelector)
	}
	for _, w := range weights {
		if w < 1 || w > 100 {
			c.fail(at, "with weights from 1 to 100", fmt.Sprint(w))
		}
	}
}
