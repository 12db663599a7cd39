package waypoints

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/api/parameters"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// deploying is how long istiod may take to deploy a waypoint as its parameters say. It tries at once, and five times where that fails.
const deploying = 30 * time.Second

// unapplied is what istiod has not made of a waypoint of ours as its parameters say, as a clause; "" where it has. Only its log says why. What
// is not there at all because the waypoint is new is waited for elsewhere.
func (d *deployed) unapplied(ctx context.Context, s *mesh.Snapshot, gw *mesh.Object) string {
	data := parametersOf(s, gw)
	stamp := parameters.StampOf(data)
	var behind []string
	var all appsv1.DeploymentList
	if err := d.List(ctx, &all, of(gw.Namespace, gw.Name)...); err != nil || len(all.Items) != 1 {
		return "" // which is why it is not ready
	}
	if all.Items[0].Annotations[parameters.StampAnnotation] != stamp {
		behind = append(behind, "Deployment "+all.Items[0].Name)
	}
	for key, kind := range map[string]schema.GroupVersionKind{parameters.HorizontalPodAutoscaler: autoscalerKind, parameters.PodDisruptionBudget: budgetKind} {
		if data[key] == "" {
			continue // one that is there is left behind
		}
		owned, err := d.owned(ctx, kind, gw.Namespace, gw.Name, gw.UID)
		if err != nil || slices.ContainsFunc(owned, func(o metav1.PartialObjectMetadata) bool { return o.Annotations[parameters.StampAnnotation] == stamp }) {
			continue // an error is read from memory: the next look finds it
		}
		behind = append(behind, kind.Kind+" "+gw.Name)
	}
	if len(behind) == 0 {
		return ""
	}
	slices.Sort(behind)
	return "istiod has not made " + strings.Join(behind, ", ") + " as its parameters say"
}

// lags are since when istiod has not deployed waypoints as their parameters say.
type lags map[mesh.Ref]time.Time

// enter says so of each, with the time, and whether istiod has had the time to. It returns when to look again; zero for nobody.
func (l lags) enter(all map[mesh.Ref]plan.Serving, now time.Time) time.Time {
	maps.DeleteFunc(l, func(ref mesh.Ref, _ time.Time) bool { return all[ref].Unapplied == "" })
	var next time.Time
	for ref, serving := range all {
		if serving.Unapplied == "" {
			continue
		}
		since, ok := l[ref]
		if !ok {
			since = now
			l[ref] = now
		}
		serving.Unapplied = fmt.Sprintf("%s, since %s", serving.Unapplied, since.UTC().Format(time.RFC3339))
		if due := since.Add(deploying); now.Before(due) {
			next = earliest(next, due)
		} else {
			serving.Overdue = true
		}
		all[ref] = serving
	}
	return next
}
