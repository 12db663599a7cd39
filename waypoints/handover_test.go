package waypoints

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAppliedAlone: only a number that one manager applied, and nobody else has, goes with it.
func TestAppliedAlone(t *testing.T) {
	entry := func(manager string, how metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: how, FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)}}
	}
	const number, template, status = `{"f:metadata":{},"f:spec":{"f:replicas":{},"f:template":{}}}`, `{"f:spec":{"f:template":{"f:replicas":{}}}}`, `{"f:status":{"f:replicas":{}}}`
	istiod := entry("istio.io/gateway-controller", metav1.ManagedFieldsOperationApply, number)
	for name, tc := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   bool
	}{
		"nobody":                       {nil, false},
		"istiod":                       {[]metav1.ManagedFieldsEntry{istiod, entry("kube-controller-manager", metav1.ManagedFieldsOperationUpdate, status)}, true},
		"istiod, of something else":    {[]metav1.ManagedFieldsEntry{entry("istio.io/gateway-controller", metav1.ManagedFieldsOperationApply, template)}, false},
		"an autoscaler":                {[]metav1.ManagedFieldsEntry{entry("kube-controller-manager", metav1.ManagedFieldsOperationUpdate, `{"f:spec":{"f:replicas":{}}}`)}, false},
		"istiod and an autoscaler":     {[]metav1.ManagedFieldsEntry{istiod, entry("kube-controller-manager", metav1.ManagedFieldsOperationUpdate, number)}, false},
		"istiod and we":                {[]metav1.ManagedFieldsEntry{istiod, entry(replicasManager, metav1.ManagedFieldsOperationApply, number)}, false},
		"we":                           {[]metav1.ManagedFieldsEntry{entry(replicasManager, metav1.ManagedFieldsOperationApply, number)}, false},
		"somebody who says no fields":  {[]metav1.ManagedFieldsEntry{{Manager: "x", Operation: metav1.ManagedFieldsOperationApply}}, false},
		"somebody who cannot be read":  {[]metav1.ManagedFieldsEntry{entry("x", metav1.ManagedFieldsOperationApply, `[]`)}, false},
		"istiod and one without field": {[]metav1.ManagedFieldsEntry{istiod, {Manager: "x"}}, true},
	} {
		if got := appliedAlone(tc.fields); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
