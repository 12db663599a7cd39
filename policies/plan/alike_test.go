package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestAlike: where nothing has changed but pods like others, the same is planned; whatever could change a plan is no such change.
func TestAlike(t *testing.T) {
	pod := func(name, more, ip string) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: shop, labels: {app: cart, pod-template-hash: %s}, annotations: {ambient.istio.io/redirection: enabled, cni.example.com/ip: %s%s}}, spec: {serviceAccountName: cart, containers: [{name: a, image: a}]}, status: {phase: Running, podIP: %s}}`, name, name, ip, more, ip)
	}
	job := func(name, label string) string {
		return strings.Replace(pod(name, "", "10.0.0.1"), "labels: {", "labels: {"+label+": "+name+", ", 1)
	}
	const (
		policy  = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: more, namespace: shop}, spec: {action: DENY, targetRefs: [{group: "", kind: Service, name: web}], rules: [{to: [{operation: {methods: [PUT]}}]}]}}`
		address = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: at, namespace: shop}, spec: {action: DENY, rules: [{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}]}}`
		set     = `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: cart-1, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {serviceAccountName: cart, containers: [{name: a, image: a}]}}}}`
	)
	a, b := pod("a", "", "10.0.0.1"), pod("b", "", "10.0.0.2")
	for name, tc := range map[string]struct {
		before, after []string // beside what is always there
		gone          []string // names of pods
		want          bool
	}{
		"nothing":                        {before: []string{a}, want: true},
		"one more":                       {before: []string{a}, after: []string{b}, want: true},
		"one fewer":                      {before: []string{a, b}, gone: []string{"b"}, want: true},
		"one for another":                {before: []string{a}, after: []string{b}, gone: []string{"a"}, want: true},
		"the first":                      {after: []string{a}},
		"the last":                       {before: []string{a}, gone: []string{"a"}},
		"one that is out of the mesh":    {before: []string{a}, after: []string{pod("b", `, ambient.istio.io/redirection: pending`, "10.0.0.2")}},
		"one that is scraped":            {before: []string{a}, after: []string{pod("b", `, prometheus.io/scrape: "true"`, "10.0.0.2")}},
		"another address":                {before: []string{a}, after: []string{pod("a", "", "10.0.0.9")}, want: true},
		"another address that is asked":  {before: []string{a, address}, after: []string{pod("a", "", "10.0.0.9")}},
		"a Job's, of another name":       {before: []string{job("a", "job-name")}, after: []string{job("b", "job-name")}},
		"a Job's, by its longer label":   {before: []string{job("a", "batch.kubernetes.io/job-name")}, after: []string{job("b", "batch.kubernetes.io/job-name")}},
		"a Job's, of another uid":        {before: []string{job("a", "batch.kubernetes.io/controller-uid")}, after: []string{job("b", "batch.kubernetes.io/controller-uid")}, want: true},
		"the ReplicaSet of pods":         {before: []string{a}, after: []string{set}, want: true},
		"a policy":                       {before: []string{a}, after: []string{policy}},
		"an endpoint more":               {before: []string{a, endpointSlice("shop", "cart", true)}, after: []string{endpointSlice("shop", "cart", true)}, want: true},
		"no endpoint that is ready":      {before: []string{a, endpointSlice("shop", "cart", true)}, after: []string{endpointSlice("shop", "cart", false)}},
		"endpoints of no Service":        {before: []string{a}, after: []string{endpointSlice("shop", "other", true)}, want: true},
		"the endpoints of a new Service": {before: []string{a}, after: []string{endpointSlice("shop", "cart", false)}},
	} {
		t.Run(name, func(t *testing.T) {
			before := two(tc.before...).Snapshot
			after := before
			for _, text := range tc.after {
				after = after.With(decode(yamlOf(text)))
			}
			for _, gone := range tc.gone {
				after = after.Without(after.Get(mesh.Pod, "shop", gone))
			}
			if got := Alike(before, after); got != tc.want || Alike(after, before) != got {
				t.Fatalf("alike: %v, and the other way round: %v", got, Alike(after, before))
			}
			if !tc.want {
				return
			}
			settings := Settings{Default: Setting{Mode: Provision, Pending: Guard, Bypass: Guard}}
			was, is := Make(policies.NewView(before), settings, nil), Make(policies.NewView(after), settings, nil)
			if diff := cmp.Diff(was, is, cmpopts.IgnoreUnexported(Waypoint{}, Policy{})); diff != "" {
				t.Errorf("something else is planned (-before +after):\n%s", diff)
			}
		})
	}
}

// BenchmarkAlike: a pod more in a mesh of 2,000 namespaces that all have a waypoint.
func BenchmarkAlike(b *testing.B) {
	s := large(1)
	s, _ = carriedOut(s, Make(policies.NewView(s), provision, nil))
	pod := func(name string) *mesh.Object {
		return decode(yamlOf(fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: team-1000, labels: {app: s0}}, spec: {containers: [{name: a, image: a}]}, status: {phase: Running, podIP: 10.0.0.1}}`, name)))
	}
	s = s.With(pod("a"))
	next := s.With(pod("b"))
	b.ReportAllocs()
	for b.Loop() {
		if !Alike(s, next) {
			b.Fatal("a pod like another makes another plan")
		}
	}
}
