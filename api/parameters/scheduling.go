package parameters

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// What follows finds what an API server would refuse of how pods are scheduled, as kubernetes pkg/apis/core/validation does
// (validateTopologySpreadConstraints, ValidateTolerations, validateAffinity). That package cannot be imported: it is about types that are
// internal to Kubernetes, which does not publish it as a module for others.

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
		if slices.ContainsFunc(all[:i], func(o corev1.TopologySpreadConstraint) bool {
			return o.TopologyKey == s.TopologyKey && o.WhenUnsatisfiable == s.WhenUnsatisfiable
		}) {
			c.fail(at, "the only one with its topologyKey and whenUnsatisfiable", fmt.Sprintf("another one with %s and %s", s.TopologyKey, s.WhenUnsatisfiable))
		}
		if n := s.MinDomains; n != nil && *n < 1 {
			c.fail(at+".minDomains", "1 or more", fmt.Sprint(*n))
		} else if n != nil && s.WhenUnsatisfiable != corev1.DoNotSchedule {
			c.fail(at+".minDomains", "left out unless whenUnsatisfiable is DoNotSchedule,", fmt.Sprint(*n))
		}
		c.inclusion(at+".nodeAffinityPolicy", s.NodeAffinityPolicy)
		c.inclusion(at+".nodeTaintsPolicy", s.NodeTaintsPolicy)
		c.labelKeys(at, s.MatchLabelKeys, nil, s.LabelSelector)
		c.selector(at+".labelSelector", s.LabelSelector)
	}
}

func (c *checker) inclusion(at string, policy *corev1.NodeInclusionPolicy) {
	if policy != nil && *policy != corev1.NodeInclusionPolicyHonor && *policy != corev1.NodeInclusionPolicyIgnore {
		c.fail(at, "Honor or Ignore", fmt.Sprintf("%q", *policy))
	}
}

// labelKeys looks at the keys of labels that are compared with those of the pod that is scheduled. That a key is there twice, or in the selector
// too, is found for pods only: a Deployment with it is stored, and gets none.
func (c *checker) labelKeys(at string, match, mismatch []string, selector *metav1.LabelSelector) {
	inSelector := func(key string) bool {
		if selector == nil {
			return false
		}
		_, ok := selector.MatchLabels[key]
		return ok || slices.ContainsFunc(selector.MatchExpressions, func(e metav1.LabelSelectorRequirement) bool { return e.Key == key })
	}
	for _, list := range []struct {
		at   string
		keys []string
	}{{at + ".matchLabelKeys", match}, {at + ".mismatchLabelKeys", mismatch}} {
		if len(list.keys) > 0 && selector == nil {
			c.fail(list.at, "left out where there is no labelSelector", fmt.Sprint(list.keys))
			continue
		}
		for i, key := range list.keys {
			switch {
			case len(validation.IsQualifiedName(key)) > 0:
				c.fail(list.at, "of keys as of any label", fmt.Sprintf("%q", key))
			case slices.Contains(list.keys[:i], key):
				c.fail(list.at, "of keys that are there once", fmt.Sprintf("twice %q", key))
			}
		}
	}
	for _, key := range match {
		switch {
		case slices.Contains(mismatch, key):
			c.fail(at+".matchLabelKeys", "without what mismatchLabelKeys has", fmt.Sprintf("with %q", key))
		case inSelector(key):
			c.fail(at+".matchLabelKeys", "without what labelSelector has", fmt.Sprintf("with %q", key))
		}
	}
}

func (c *checker) tolerations(all []corev1.Toleration) {
	for i, t := range all {
		at := fmt.Sprintf("spec.tolerations[%d]", i)
		if t.Key != "" && len(validation.IsQualifiedName(t.Key)) > 0 {
			c.fail(at+".key", "a key as of any label", fmt.Sprintf("%q", t.Key))
		}
		if t.Key == "" && t.Operator != corev1.TolerationOpExists {
			c.fail(at+".operator", "Exists where there is no key", fmt.Sprintf("%q", t.Operator))
		}
		switch t.Operator {
		case "", corev1.TolerationOpEqual:
			if len(validation.IsValidLabelValue(t.Value)) > 0 {
				c.fail(at+".value", "a value as of any label", fmt.Sprintf("%q", t.Value))
			}
		case corev1.TolerationOpExists:
			if t.Value != "" {
				c.fail(at+".value", "left out with operator Exists", fmt.Sprintf("%q", t.Value))
			}
		case corev1.TolerationOpLt, corev1.TolerationOpGt: // behind a feature gate, which is not ours to know
			if n, err := strconv.ParseInt(t.Value, 10, 64); err != nil || strconv.FormatInt(n, 10) != t.Value {
				c.fail(at+".value", "a whole number with operators Lt and Gt", fmt.Sprintf("%q", t.Value))
			}
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

func (c *checker) affinity(a *corev1.Affinity) {
	if a == nil {
		return
	}
	const at = "spec.affinity"
	if p := a.PodAffinity; p != nil {
		c.pods(at+".podAffinity", p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := a.PodAntiAffinity; p != nil {
		c.pods(at+".podAntiAffinity", p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	n := a.NodeAffinity
	if n == nil {
		return
	}
	for _, w := range n.PreferredDuringSchedulingIgnoredDuringExecution {
		c.weight(at+".nodeAffinity", w.Weight)
		c.nodes(at+".nodeAffinity", w.Preference, false)
	}
	r := n.RequiredDuringSchedulingIgnoredDuringExecution
	if r != nil && len(r.NodeSelectorTerms) == 0 {
		c.fail(at+".nodeAffinity", "with at least one term", "without")
	}
	if r != nil {
		for _, t := range r.NodeSelectorTerms {
			c.nodes(at+".nodeAffinity", t, true)
		}
	}
}

func (c *checker) weight(at string, weight int32) {
	if weight < 1 || weight > 100 {
		c.fail(at, "with weights from 1 to 100", fmt.Sprint(weight))
	}
}

// pods looks at terms about pods.
func (c *checker) pods(at string, required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
	terms := slices.Clone(required)
	for _, w := range preferred {
		c.weight(at, w.Weight)
		terms = append(terms, w.PodAffinityTerm)
	}
	for _, t := range terms {
		if len(validation.IsQualifiedName(t.TopologyKey)) > 0 {
			c.fail(at, "with a topologyKey in each term, a label of nodes,", fmt.Sprintf("with %q", t.TopologyKey))
		}
		for _, ns := range t.Namespaces {
			if len(validation.IsDNS1123Label(ns)) > 0 {
				c.fail(at, "with names of namespaces", fmt.Sprintf("with %q", ns))
			}
		}
		c.labelKeys(at, t.MatchLabelKeys, t.MismatchLabelKeys, t.LabelSelector)
		c.selector(at+".labelSelector", t.LabelSelector)
		c.selector(at+".namespaceSelector", t.NamespaceSelector)
	}
}

// nodes looks at a term by which nodes are chosen. Values that no label can have are refused only where they are required.
func (c *checker) nodes(at string, t corev1.NodeSelectorTerm, required bool) {
	for _, r := range t.MatchExpressions {
		if len(validation.IsQualifiedName(r.Key)) > 0 {
			c.fail(at, "with keys as of any label", fmt.Sprintf("%q", r.Key))
		}
		c.requirement(at, r, required)
	}
	for _, r := range t.MatchFields {
		if r.Key != metav1.ObjectNameField || len(r.Values) != 1 || r.Operator != corev1.NodeSelectorOpIn && r.Operator != corev1.NodeSelectorOpNotIn ||
			len(validation.IsDNS1123Subdomain(r.Values[0])) > 0 {
			c.fail(at, "with matchFields of one metadata.name, In or NotIn,", fmt.Sprintf("%s %s %v", r.Key, r.Operator, r.Values))
		}
	}
}

func (c *checker) requirement(at string, r corev1.NodeSelectorRequirement, required bool) {
	got := fmt.Sprintf("%s %s %v", r.Key, r.Operator, r.Values)
	switch r.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(r.Values) == 0 {
			c.fail(at, "with values for In and NotIn", got)
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
	for _, v := range r.Values {
		if required && len(validation.IsValidLabelValue(v)) > 0 {
			c.fail(at, "with values as of any label", got)
		}
	}
}
