package plan

import (
	"testing"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestUsedFor: a waypoint that is for all stays so when the need of one sort goes, as long as something asks for it so by a label that is not
// ours, and no longer.
func TestUsedFor(t *testing.T) {
	const (
		pods    = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: worker, namespace: shop}, spec: {selector: {matchLabels: {app: worker}}, template: {metadata: {labels: {app: worker}}, spec: {containers: [{name: a, image: a}]}}}}`
		asking  = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: worker, namespace: shop}, spec: {selector: {matchLabels: {app: worker}}, template: {metadata: {labels: {app: worker, istio.io/use-waypoint: waypoint}}, spec: {containers: [{name: a, image: a}]}}}}`
		left    = `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: worker-1, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: worker, uid: a, controller: true}]}, spec: {selector: {matchLabels: {app: worker}}, template: {metadata: {labels: {app: worker, istio.io/use-waypoint: waypoint}}, spec: {containers: [{name: a, image: a}]}}}}`
		entry   = `{apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: vm, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}, spec: {address: 10.1.1.1}}`
		named   = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: named, namespace: shop}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
		theirs  = `{apiVersion: v1, kind: Service, metadata: {name: theirs, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}, spec: {clusterIP: 10.96.0.12, selector: {app: theirs}, ports: [{name: http, port: 80}]}}`
		tenants = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}}`
	)
	settings := Settings{Namespaces: map[string]Setting{"shop": {Mode: Provision}}}
	for name, tc := range map[string]struct {
		more []string // beside two(), and what the Gateway is for there
		is   string
		goes string // a policy
		want string
	}{
		"pods ask by themselves":       {[]string{asking}, forAll, "", forAll},
		"a WorkloadEntry asks":         {[]string{entry}, forAll, "", forAll},
		"by a Namespace of somebody's": {[]string{tenants, pods}, forAll, "", forAll},
		"by nothing but our label":     {[]string{pods}, forAll, "", forServices},
		"by a rollout that is over":    {[]string{pods, left}, forAll, "", forServices},
		"it never was for them":        {[]string{asking}, forServices, "", forServices},
		"it was for them alone":        {[]string{asking}, forWorkloads, "", forAll},
		"the need of a Service goes":   {[]string{asking, named, theirs}, forAll, "l7", forAll},
	} {
		t.Run(name, func(t *testing.T) {
			s := two(tc.more...).Snapshot
			if tc.goes != "" {
				s = s.Without(s.Get(mesh.AuthorizationPolicy, "shop", tc.goes))
			}
			gw := readyGateway(mesh.New(mesh.Options{}), "shop", "waypoint", tc.is, "shop")
			gw = annotated(labelled(gw, map[string]string{ManagedByLabel: ManagedBy, label.IoIstioWaypointFor.Name: tc.is}), ProfileAnnotation, "default")
			content := manifestOf(gw)
			content["status"] = map[string]any{"addresses": []any{map[string]any{"type": "Hostname", "value": "w"}}}
			s, managed := s.With(decode(content)), Managed{refOf(gw): {ManagedByLabel}}
			if ns := s.Get(mesh.Namespace, "", "shop"); ns.Labels[label.IoIstioUseWaypoint.Name] == "" && tc.goes == "" {
				ns = annotated(labelled(ns, map[string]string{label.IoIstioUseWaypoint.Name: "waypoint"}), ProfileAnnotation, "default")
				s, managed[refOf(ns)] = s.With(ns), []string{label.IoIstioUseWaypoint.Name}
			}
			got := ""
			for _, w := range Make(policies.NewView(s), settings, managed).Waypoints {
				if w.Namespace == "shop" {
					got += w.Name + " " + w.For
				}
			}
			if got != "waypoint "+tc.want {
				t.Errorf("got %s", got)
			}
		})
	}
}
