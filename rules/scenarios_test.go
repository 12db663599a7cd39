package rules

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const byHand = `# METADATA
# title: T
# custom:
#   severity: low
#   match: {kinds: [AuthorizationPolicy.security.istio.io], phases: [admission], operations: [CREATE, UPDATE, DELETE]}
#   params: {type: object, additionalProperties: false, properties: {allow: {type: array, items: {type: string}, default: [argo]}}}
package acme.x

deny contains {"msg": sprintf("%s by %s", [input.operation, input.user.username])} if not input.user.username in input.params.allow
`

const byHandCases = `Who changes policies.
-- mesh.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: there, namespace: shop}
spec: {}
-- asked.yaml --
phase: admission
user: {username: alice}
-- bad-created.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
spec: {}
-- bad-updated.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: there, namespace: shop}
spec: {action: DENY}
-- bad-deleted.yaml --
$delete: true
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: there, namespace: shop}
-- ok-gitops.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
-- ok-gitops.asked.yaml --
phase: admission
user: {username: argo}
-- ok-allowed.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
-- ok-allowed.asked.yaml --
phase: admission
user: {username: alice}
params: {allow: [alice]}
-- bad-not-allowed.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
-- bad-not-allowed.asked.yaml --
phase: admission
user: {username: argo}
params: {allow: [alice]}
`

// TestScenarioAsks: a scenario can be a request, and give parameters.
func TestScenarioAsks(t *testing.T) {
	p, err := Load(fstest.MapFS{"acme/x.rego": {Data: []byte(byHand)}, "acme/x.txtar": {Data: []byte(byHandCases)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range p.Rules[0].Scenarios().Cases {
		out := c.Ask(p.Checks()[0])
		if len(out.Failures) > 0 {
			t.Errorf("%s: %v", c.Name, out.Failures)
		}
		for _, f := range out.Findings {
			got[c.Name] += f.Message
		}
	}
	want := map[string]string{"bad-created": "CREATE by alice", "bad-updated": "UPDATE by alice", "bad-deleted": "DELETE by alice", "bad-not-allowed": "CREATE by argo"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestScenarioAsksWrongly: a scenario that asks what the rule does not answer shows nothing.
func TestScenarioAsksWrongly(t *testing.T) {
	for from, c := range map[string]struct{ to, want string }{
		"params: {allow: [alice]}": {"params: {alow: [alice]}", "additional properties 'alow' not allowed"},
		"phase: admission":         {"phase: audit", "the rule is not asked in phase audit"},
		"user: {username: argo}":   {"users: {}", "unknown field"},
	} {
		_, err := Load(fstest.MapFS{"acme/x.rego": {Data: []byte(byHand)}, "acme/x.txtar": {Data: []byte(strings.ReplaceAll(byHandCases, from, c.to))}}, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
}
