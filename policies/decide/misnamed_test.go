package decide

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

func TestMisnamed(t *testing.T) {
	r, problems := New(Options{}, []*v1alpha1.Guardrail{
		rail("b", "", rule(v1alpha1.Deny, "*", "effect/*", "effect/l7-deny-*"), rule(v1alpha1.Deny, "waypoint/*", "effect/l7-deny-noop")),
		rail("a", "", rule(v1alpha1.Off, "effect", "zero-trust/authz/none", "ef*/x")),
	}, []*v1alpha1.Exemption{pass("p", 1, "*", noOp, "effect/l8-*")})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, f := range r.Misnamed([]string{noOp, "waypoint/canary"}) {
		got = append(got, f.Object.String()+" "+f.Field+": "+f.Message)
	}
	want := []string{
		`Guardrail a spec.checks[0].ids[0]: "effect" means no check: none has such an ID.`,
		`Guardrail b spec.checks[1].ids[1]: "effect/l7-deny-noop" means no check: none has such an ID.`,
		`Exemption shop/p spec.checks[1]: "effect/l8-*" means no check: none has such an ID.`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
