package audit

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory"
)

// TestUnprovided: nobody makes waypoints where no Guardrail has them made, or each that does says that it is not done. Where Guardrails cannot be
// read that is not known.
func TestUnprovided(t *testing.T) {
	guardrail := func(mode v1alpha1.WaypointMode, provided metav1.ConditionStatus) *v1alpha1.Guardrail {
		g := &v1alpha1.Guardrail{Spec: v1alpha1.GuardrailSpec{Waypoints: &v1alpha1.GuardrailWaypoints{Mode: mode}}}
		if provided != "" {
			g.Status.Conditions = []metav1.Condition{{Type: ConditionProvided, Status: provided}}
		}
		return g
	}
	done, over, silent := guardrail(v1alpha1.ProvisionWaypoints, metav1.ConditionTrue), guardrail(v1alpha1.ProvisionWaypoints, metav1.ConditionFalse), guardrail(v1alpha1.ProvisionWaypoints, "")
	for name, tc := range map[string]struct {
		cluster inventory.Inventory
		want    bool
	}{
		"no Guardrail":                {want: true},
		"none that has them made":     {inventory.Inventory{Guardrails: []*v1alpha1.Guardrail{guardrail(v1alpha1.RequireWaypoints, ""), {}}}, true},
		"it is done":                  {inventory.Inventory{Guardrails: []*v1alpha1.Guardrail{over, done}}, false},
		"nobody has said yet":         {inventory.Inventory{Guardrails: []*v1alpha1.Guardrail{silent}}, false},
		"switched off":                {inventory.Inventory{Guardrails: []*v1alpha1.Guardrail{over, over}}, true},
		"Guardrails cannot be read":   {inventory.Inventory{Unread: []inventory.Unread{{Kind: v1alpha1.GuardrailKind}}}, false},
		"another kind cannot be read": {inventory.Inventory{Unread: []inventory.Unread{{Kind: v1alpha1.ExemptionKind}}}, true},
	} {
		if got := Unprovided(&tc.cluster); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
