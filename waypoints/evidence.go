package waypoints

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// ours is what the marks say of what is ours, and of versions.
func ours(marks map[mesh.Ref]inventory.Mark) (plan.Managed, map[mesh.Ref]string) {
	managed, versions := plan.Managed{}, make(map[mesh.Ref]string, len(marks))
	for ref, m := range marks {
		versions[ref] = m.Version
		if m.Managed {
			managed[ref] = m.Labels
		}
	}
	return managed, versions
}

// serving is how each waypoint of Istio's does, whoever made it.
func (d *deployed) serving(ctx context.Context, s *mesh.Snapshot, managed plan.Managed, demands map[string]demand) map[mesh.Ref]plan.Serving {
	out := map[mesh.Ref]plan.Serving{}
	for gw := range s.All(mesh.Gateway) {
		if s.ClassOf(gw) != mesh.ClassWaypoint {
			continue
		}
		made := managed.Made(gw)
		var now plan.Serving
		now.Why = d.whyNot(ctx, gw, made, max(1, demands[gw.Annotations[plan.ProfileAnnotation]].ready))
		now.Ready = now.Why == ""
		if !now.Ready {
			now.Down = d.down(ctx, gw, made)
		}
		if made {
			now.LeftBehind = d.leftBehind(ctx, s, gw, demands)
			now.Unapplied = d.unapplied(ctx, s, gw)
		}
		out[plan.RefOf(mesh.Gateway, gw.Namespace, gw.Name)] = now
	}
	return out
}

// whyNot is why a waypoint is not ready, as a clause; "" where it is. Of a pod that is not ready is told first: istiod says only that there is no
// address as long as none is. While no pod is there yet, what istiod says is all that there is to say.
func (d *deployed) whyNot(ctx context.Context, gw *mesh.Object, made bool, least int) string {
	if why := unmet(gw, "Accepted"); why != "" {
		return why
	}
	why := unmet(gw, "Programmed")
	if why == "" && !mesh.Ready(gw) {
		why = "it has no address"
	}
	switch pods := d.lacks(ctx, gw, made, least); {
	case pods == "", why != "" && !strings.Contains(pods, ": pod "):
		return why
	case why == "":
		return pods
	default:
		return pods + "; " + why
	}
}

// lacks says which pods a waypoint is short of; "" for none.
func (d *deployed) lacks(ctx context.Context, gw *mesh.Object, made bool, least int) string {
	switch n, why := d.ready(ctx, gw.Namespace, gw.Name); {
	case n >= least:
		return ""
	case n == 0 && !made && why == noDeployment:
		return "" // its owner deploys it
	case why != "":
		return fmt.Sprintf("%d of %d pods are ready: %s", n, least, why)
	default:
		return fmt.Sprintf("%d of %d pods are ready", n, least)
	}
}

// down is whether a waypoint has no ready pod, be it of its current ReplicaSet or of an earlier one. One of somebody else's that istiod has not
// deployed may run anywhere.
func (d *deployed) down(ctx context.Context, gw *mesh.Object, made bool) bool {
	pods, err := d.readyPods(ctx, gw.Namespace, gw.Name)
	if err != nil || len(pods) > 0 {
		return false
	}
	_, why := d.ready(ctx, gw.Namespace, gw.Name)
	return made || why != noDeployment
}

// unmet says why a condition of a Gateway does not hold as it stands now: one of an earlier generation says nothing.
func unmet(gw *mesh.Object, condition string) string {
	stored, err := storedConditions(gw)
	if err != nil {
		return "its status cannot be read: " + err.Error()
	}
	i := slices.IndexFunc(stored, func(c metav1.Condition) bool { return c.Type == condition })
	switch {
	case i < 0:
		return "istiod has not said that it is " + condition
	case stored[i].ObservedGeneration != gw.Generation:
		return "istiod has not looked at it since it was changed"
	case stored[i].Status != metav1.ConditionTrue:
		return fmt.Sprintf("it is not %s: %s", condition, stored[i].Message)
	}
	return ""
}

// leftBehind are the autoscaler and the disruption budget that istiod made for a waypoint of ours, and does not remove
// since the key is gone that asked for them: it applies what it renders, and prunes nothing. A key that is only missing
// because somebody else removed it, and that its profile asks for, is about to come back.
func (d *deployed) leftBehind(ctx context.Context, s *mesh.Snapshot, gw *mesh.Object, demands map[string]demand) []plan.LeftBehind {
	demanded, known := demands[gw.Annotations[plan.ProfileAnnotation]]
	if !known {
		return nil
	}
	asked := parametersOf(s, gw)
	var out []plan.LeftBehind
	for key, kind := range map[string]schema.GroupVersionKind{parameters.HorizontalPodAutoscaler: autoscalerKind, parameters.PodDisruptionBudget: budgetKind} {
		if asked[key] != "" || demanded.parameters[key] != "" {
			continue
		}
		owned, err := d.owned(ctx, kind, gw.Namespace, gw.Name, gw.UID)
		if err != nil {
			continue // it is read from memory; the next look finds it
		}
		for _, o := range owned {
			out = append(out, plan.LeftBehind{
				Object:        mesh.Ref{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Namespace: o.Namespace, Name: o.Name},
				Preconditions: plan.Preconditions{UID: string(o.UID), ResourceVersion: o.ResourceVersion},
			})
		}
	}
	slices.SortFunc(out, func(a, b plan.LeftBehind) int { return a.Object.Compare(b.Object) })
	return out
}

// parametersOf is the data of the ConfigMap that a Gateway refers to.
func parametersOf(s *mesh.Snapshot, gw *mesh.Object) map[string]string {
	infrastructure := gw.Spec.(*mesh.GatewayBody).Spec.Infrastructure
	if infrastructure == nil || infrastructure.ParametersRef == nil {
		return nil
	}
	if o := s.Get(mesh.ConfigMap, gw.Namespace, infrastructure.ParametersRef.Name); o != nil {
		return o.Spec.(*mesh.ConfigMapBody).Data
	}
	return nil
}
