package mesh

import (
	"reflect"
	"strings"

	"sigs.k8s.io/yaml"
)

// cniConfig is the ConfigMap by which istio-cni is told whom to capture (charts/istio-cni/templates/configmap-cni.yaml).
const cniConfig = "istio-cni-config"

// readCNI reads whom istio-cni captures. What an option says wins; what nothing says is Istio's default.
func (s *Snapshot) readCNI(t *Settings) {
	t.Enrolment, t.ExcludedNamespaces = s.options.Enrolment, s.options.ExcludedNamespaces
	if o := s.cniConfigMap(t.RootNamespace); o != nil {
		data := o.Spec.(*ConfigMapBody).Data
		var selectors []EnrolmentSelector
		// Selectors that cannot be read keep istio-cni from starting: there is nothing better to go by than the default.
		if err := yaml.Unmarshal([]byte(data["AMBIENT_ENABLEMENT_SELECTOR"]), &selectors); err == nil && len(selectors) > 0 && t.Enrolment == nil {
			t.Enrolment = selectors
			if !reflect.DeepEqual(selectors, defaultEnrolment) {
				t.EnrolmentFrom = o.String()
			}
		}
		if text, ok := data["EXCLUDE_NAMESPACES"]; ok && t.ExcludedNamespaces == nil {
			t.ExcludedNamespaces = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	if t.Enrolment == nil {
		t.Enrolment = defaultEnrolment
	}
	if t.ExcludedNamespaces == nil {
		t.ExcludedNamespaces = []string{"kube-system"}
	}
}

// cniConfigMap is the one of the root namespace, else any: istio-cni is also installed in kube-system.
func (s *Snapshot) cniConfigMap(root string) *Object {
	if o := s.Get(ConfigMap, root, cniConfig); o != nil {
		return o
	}
	for o := range s.All(ConfigMap) {
		if o.Name == cniConfig {
			return o
		}
	}
	return nil
}
