package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

const exemption = `
apiVersion: waywarden.dev/v1alpha1
kind: Exemption
metadata: {name: a, namespace: shop}
spec:
  subjects: [{kind: AuthorizationPolicy, name: "*"}]
  checks: ["*"]
  reason: the waypoint comes next week
  grantedBy: ann
  expiresAt: "2026-11-20T00:00:00Z"
`

// TestExemptions: who grants, and until when.
func TestExemptions(t *testing.T) {
	edit := func(pairs ...string) map[string]any {
		return content(t, strings.NewReplacer(pairs...).Replace(exemption))
	}
	var (
		good    = edit()
		expired = edit("2026-11-20", "2026-10-01")
		byBob   = edit("grantedBy: ann", "grantedBy: bob")
	)
	for name, c := range map[string]struct {
		object, old map[string]any
		field       string // of the denial; "" where it is admitted
		stamped     string // the patch
	}{
		"as it should be":                 {object: good},
		"in another's name":               {object: byBob, field: "spec.grantedBy", stamped: `"ann"`},
		"by nobody":                       {object: edit("grantedBy: ann", ""), field: "spec.grantedBy", stamped: `"ann"`},
		"has ended":                       {object: expired, field: "spec.expiresAt"},
		"for ever":                        {object: edit("2026-11-20", "9999-12-31"), field: "spec.expiresAt"},
		"what another granted stays":      {object: set(byBob, "finalizers", []any{"a/b"}), old: byBob},
		"ended, and a finalizer goes":     {object: expired, old: set(expired, "finalizers", []any{"a/b"})},
		"what another granted is changed": {object: edit("grantedBy: ann", "grantedBy: bob", "11-20", "11-21"), old: byBob, field: "spec.grantedBy", stamped: `"ann"`},
		"the grant is taken over":         {object: good, old: byBob, field: "spec.grantedBy", stamped: `"bob"`},
		"no spec":                         {object: content(t, "{apiVersion: waywarden.dev/v1alpha1, kind: Exemption, metadata: {name: a, namespace: shop}}"), field: "*"},
		"a null spec":                     {object: content(t, "{apiVersion: waywarden.dev/v1alpha1, kind: Exemption, metadata: {name: a, namespace: shop}, spec: null}"), field: "*"},
		"a spec of another shape":         {object: content(t, "{apiVersion: waywarden.dev/v1alpha1, kind: Exemption, metadata: {name: a, namespace: shop}, spec: [1]}"), field: "spec"},
		"a time that is none":             {object: edit("2026-11-20T00:00:00Z", "soon"), field: "spec"},
		"a key of another case":           {object: edit("reason:", "Reason:"), field: "spec.reason"},
	} {
		t.Run(name, func(t *testing.T) {
			operation := admissionv1.Create
			if c.old != nil {
				operation = admissionv1.Update
			}
			var records []Record
			o := denying(t)
			o.Observe = func(r Record) { records = append(records, r) }
			a := New(o)
			r := request(t, operation, c.object, c.old)
			got := answer(t, a.Validating(), r)
			if got.Allowed != (c.field == "") || !got.Allowed && c.field != "*" && got.Result.Details.Causes[len(got.Result.Details.Causes)-1].Field != c.field {
				t.Errorf("allowed %v: %v", got.Allowed, got.Result)
			}
			if (records[0].Outcome == Denied) == got.Allowed {
				t.Errorf("allowed %v, and recorded as %s", got.Allowed, records[0].Outcome)
			}
			mutated := answer(t, a.Mutating(), r)
			if !mutated.Allowed || (c.stamped == "") != (len(mutated.Patch) == 0) || !strings.Contains(string(mutated.Patch), c.stamped) {
				t.Errorf("the patch: %s", mutated.Patch)
			}
			if len(mutated.Patch) > 0 {
				applied(t, r.Object.Raw, mutated.Patch)
			}
		})
	}
}

// TestGuardrails: what a CRD cannot say about one.
func TestGuardrails(t *testing.T) {
	guard := func(spec string) map[string]any {
		return content(t, "{apiVersion: waywarden.dev/v1alpha1, kind: Guardrail, metadata: {name: a}, spec: "+spec+"}")
	}
	for name, c := range map[string]struct {
		object  map[string]any
		allowed bool
		warns   []string
	}{
		"as it should be":  {object: guard(`{checks: [{ids: ["*"], action: Deny}]}`), allowed: true},
		"a mistyped check": {object: guard(`{checks: [{ids: ["effect/*", "effect/l7-deny-noop"], action: Deny}]}`), allowed: true, warns: []string{`spec.checks[0].ids[1] demands nothing: no check is called "effect/l7-deny-noop". waywarden checks list shows all.`}},
		"an odd glob":      {object: guard(`{checks: [{ids: ["[", "effect/[a"], action: Deny}]}`)},
		"another action":   {object: guard(`{checks: [{ids: ["*"], action: Refuse}]}`)},
		"a bad selector":   {object: guard(`{namespaceSelector: {matchExpressions: [{key: env, operator: Is}]}, checks: [{ids: ["*"], action: Deny}]}`)},
		"no checks":        {object: guard(`{checks: []}`)},
		"no spec":          {object: guard(`null`)},
		"another shape":    {object: guard(`{checks: {a: b}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			got := answer(t, New(denying(t)).Validating(), request(t, admissionv1.Create, c.object, nil))
			if got.Allowed != c.allowed || !got.Allowed && got.Result.Code != 422 {
				t.Errorf("allowed %v: %v", got.Allowed, got.Result)
			}
			if diff := cmp.Diff(c.warns, got.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProfiles: what istiod would refuse of a WaypointProfile is refused, at its field, and what is seldom meant is told.
func TestProfiles(t *testing.T) {
	const head = "{apiVersion: waywarden.dev/v1alpha1, kind: WaypointProfile, metadata: {name: default}, spec: "
	for spec, c := range map[string]struct{ field, warning string }{
		"{replicas: 2, disruptionBudget: {minAvailable: 1}}": {},
		"{}": {},
		"{replicas: 2, autoscaling: {maxReplicas: 3}}":                            {field: "spec.replicas"},
		"{patch: {metadata: {name: other}}}":                                      {field: "spec.patch.metadata.name"},
		"{patch: {spec: {selector: null}}}":                                       {field: "spec.patch.spec.selector"},
		"{patch: {spec: {replicas: 0}}}":                                          {field: "spec.patch.spec.replicas"},
		"{patch: {spec: {selector: {matchLabels: {a: b}}}}}":                      {field: "spec.patch.spec.selector"},
		"{resources: {requests: {cpu: \"4\"}}}":                                   {field: "spec.resources.requests"},
		"[1]":                                                                     {field: "spec"},
		"{replicas: 1, disruptionBudget: {minAvailable: 1}}":                      {warning: "lets no node be drained"},
		"{autoscaling: {maxReplicas: 3}, disruptionBudget: {minAvailable: 100%}}": {warning: "lets no node be drained"},
	} {
		got := answer(t, New(denying(t)).Validating(), creates(t, head+spec+"}"))
		said := strings.Join(got.Warnings, " ")
		if got.Allowed != (c.field == "") || !strings.Contains(said, c.warning) || (c.warning == "") != (said == "") {
			t.Errorf("%s: allowed: %v, warnings: %q", spec, got.Allowed, said)
		}
		if c.field != "" && (got.Result == nil || len(got.Result.Details.Causes) != 1 || got.Result.Details.Causes[0].Field != c.field) {
			t.Errorf("%s: %+v, want a cause at %s", spec, got.Result, c.field)
		}
	}
}

const pack = `
apiVersion: waywarden.dev/v1alpha1
kind: RulePack
metadata: {name: acme}
spec: {modules: {acme/one.rego: package acme.one}}
`

// TestRulePacks: one that is well formed is judged by whoever can, with what it was; each reason is a cause, and what is told
// besides is a warning.
func TestRulePacks(t *testing.T) {
	refuses := []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.modules[acme/one.rego]", Message: "acme/one.rego:1:1: it is not described."}}
	for name, c := range map[string]struct {
		object, old map[string]any
		causes      []metav1.StatusCause
		notes       []string
		asked       string // what was judged; "" where nothing was
		fields      []string
		warned      []string
	}{
		"good":          {object: content(t, pack), notes: []string{"in force, this adds 3 findings."}, asked: "acme after nothing", warned: []string{"in force, this adds 3 findings."}},
		"changed":       {object: content(t, pack), old: content(t, pack), asked: "acme after acme"},
		"refused":       {object: content(t, pack), causes: refuses, asked: "acme after nothing", fields: []string{"spec.modules[acme/one.rego]"}},
		"from nowhere":  {object: content(t, strings.Replace(pack, "{modules: {acme/one.rego: package acme.one}}", "{}", 1)), fields: []string{"spec"}},
		"a wrong path":  {object: content(t, strings.Replace(pack, "acme/one", "../one", 1)), fields: []string{"spec.modules[../one.rego]"}},
		"another shape": {object: content(t, strings.Replace(pack, "package acme.one", "[1]", 1)), fields: []string{"spec"}},
	} {
		t.Run(name, func(t *testing.T) {
			operation := admissionv1.Create
			if c.old != nil {
				operation = admissionv1.Update
			}
			asked := ""
			o := denying(t)
			o.CheckPack = func(ctx context.Context, is, was *v1alpha1.RulePack) ([]metav1.StatusCause, []string) {
				before := "nothing"
				if was != nil {
					before = was.Name
				}
				if _, bounded := ctx.Deadline(); !bounded {
					t.Error("it may think for ever")
				}
				asked = is.Name + " after " + before
				return c.causes, c.notes
			}
			got := answer(t, New(o).Validating(), request(t, operation, c.object, c.old))
			var fields []string
			if got.Result != nil && got.Result.Details != nil {
				for _, cause := range got.Result.Details.Causes {
					fields = append(fields, cause.Field)
				}
			}
			if asked != c.asked || got.Allowed != (c.fields == nil) || !cmp.Equal(fields, c.fields) || !cmp.Equal(got.Warnings, c.warned) {
				t.Errorf("judged %q, allowed %v, causes at %q, warnings %q", asked, got.Allowed, fields, got.Warnings)
			}
		})
	}
}

// TestStepsOfProfiles: steps by which nothing would move are refused.
func TestStepsOfProfiles(t *testing.T) {
	for steps, ok := range map[string]bool{"5/10m,50,100/1h": true, "": true, "50,10": false, "5/soon": false, "101": false} {
		got := answer(t, New(denying(t)).Validating(), creates(t, fmt.Sprintf("{apiVersion: waywarden.dev/v1alpha1, kind: WaypointProfile, metadata: {name: default, annotations: {waywarden.dev/migrate-steps: %q}}, spec: {}}", steps)))
		if got.Allowed != ok || !ok && got.Result.Details.Causes[0].Field != "metadata.annotations[waywarden.dev/migrate-steps]" {
			t.Errorf("%q: allowed: %v, %+v", steps, got.Allowed, got.Result)
		}
	}
}
