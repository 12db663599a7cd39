package plan

import (
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestWaypointFor: a waypoint is for workloads only where a policy names it, pods ask for it, and it has no Service to serve.
func TestWaypointFor(t *testing.T) {
	const (
		labelled = `{apiVersion: v1, kind: Namespace, metadata: {name: jobs, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: batch}}}`
		plain    = `{apiVersion: v1, kind: Namespace, metadata: {name: jobs, labels: {istio.io/dataplane-mode: ambient}}}`
		pods     = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: worker, namespace: jobs}, spec: {selector: {matchLabels: {app: batch}}, template: {metadata: {labels: {app: batch}}, spec: {containers: [{name: a, image: a}]}}}}`
		asking   = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: worker, namespace: jobs}, spec: {selector: {matchLabels: {app: batch}}, template: {metadata: {labels: {app: batch, istio.io/use-waypoint: batch}}, spec: {containers: [{name: a, image: a}]}}}}`
		service  = `{apiVersion: v1, kind: Service, metadata: {name: worker, namespace: jobs}, spec: {clusterIP: 10.96.0.40, selector: {app: batch}, ports: [{name: http, port: 80}]}}`
		headless = `{apiVersion: v1, kind: Service, metadata: {name: peers, namespace: jobs}, spec: {clusterIP: None, selector: {app: batch}, ports: [{name: http, port: 80}]}}`
		taken    = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: batch, namespace: jobs}, spec: {selector: {matchLabels: {app: other}}, template: {metadata: {labels: {app: other}}, spec: {containers: [{name: a, image: a}]}}}}`
		web      = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: jobs}, spec: {clusterIP: 10.96.0.41, selector: {app: web}, ports: [{name: http, port: 80}]}}`
		l7       = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: l7, namespace: jobs}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
		named    = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: named, namespace: jobs}, spec: {action: DENY, targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: batch}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
	)
	settings := Settings{Default: Setting{Mode: Provision}}
	for name, tc := range map[string]struct {
		objects []string
		want    map[string]string
	}{
		"pods ask by their Namespace":      {[]string{labelled, pods, named}, map[string]string{"batch": forWorkloads}},
		"pods ask by themselves":           {[]string{plain, asking, named}, map[string]string{"batch": forWorkloads}},
		"a Service is there":               {[]string{labelled, pods, service, named}, map[string]string{"batch": forServices}},
		"a headless Service is there":      {[]string{labelled, pods, headless, named}, map[string]string{"batch": forWorkloads}},
		"and another one":                  {[]string{labelled, pods, headless, service, named}, map[string]string{"batch": forServices}},
		"pods ask, behind a headless one":  {[]string{plain, asking, headless, named}, map[string]string{"batch": forWorkloads}},
		"both sorts, of other names":       {[]string{plain, asking, web, named, l7}, map[string]string{"batch": forWorkloads, "waypoint": forServices}},
		"both sorts, of one name":          {[]string{plain, strings.ReplaceAll(asking, "use-waypoint: batch", "use-waypoint: waypoint"), web, strings.ReplaceAll(named, "kind: Gateway, name: batch", "kind: Gateway, name: waypoint"), l7}, map[string]string{"waypoint": forAll}},
		"a Deployment has its name":        {[]string{labelled, pods, taken, named}, map[string]string{}},
		"nothing asks":                     {[]string{plain, pods, named}, map[string]string{}},
		"pods ask, and no policy names it": {[]string{labelled, pods}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			var all []*mesh.Object
			for _, text := range tc.objects {
				all = append(all, parse(text))
			}
			got := map[string]string{}
			s := mesh.New(mesh.Options{}, all...)
			p := Make(policies.NewView(s), settings, nil)
			for _, w := range p.Waypoints {
				got[w.Name] = w.For
			}
			if o := s.Get(mesh.AuthorizationPolicy, "jobs", "named"); len(got) > 0 && !slices.ContainsFunc(policies.Effects(p.Apply(s), o), func(e policies.Effect) bool { return e.EnforcedBy == policies.Waypoint }) {
				t.Errorf("the waypoint is made, and does not enforce %s", o)
			}
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
