package audit

import (
	"slices"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory"
)

// Unprovided is whether nobody makes waypoints in a cluster, as its Guardrails say: none has them made, or Waywarden has written on each that
// does that it runs without its controller. It is false where they cannot be read: what Gateways say of themselves is believed then.
func Unprovided(cluster *inventory.Inventory) bool {
	if slices.ContainsFunc(cluster.Unread, func(u inventory.Unread) bool { return u.Kind == v1alpha1.GuardrailKind }) {
		return false
	}
	return !slices.ContainsFunc(cluster.Guardrails, func(g *v1alpha1.Guardrail) bool {
		if g.Spec.Waypoints == nil || g.Spec.Waypoints.Mode != v1alpha1.ProvisionWaypoints {
			return false
		}
		c := apimeta.FindStatusCondition(g.Status.Conditions, ConditionProvided)
		return c == nil || c.Status != metav1.ConditionFalse
	})
}
