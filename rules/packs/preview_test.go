package packs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// compiled is a rule that finds what an expression says of a policy, in force or about to be.
func compiled(t *testing.T, expression string) *InForce {
	t.Helper()
	pack, err := rule(`deny contains {"msg": sprintf("%s is found.", [input.object.metadata.name])} if ` + expression + "\n").load(false)
	if err != nil {
		t.Fatal(err)
	}
	return &InForce{"acme", pack.Revision, pack.Checks(), pack}
}

// stock is a mesh with so many policies that deny, and as many that allow.
func stock(t *testing.T, n int) Stored {
	t.Helper()
	var text strings.Builder
	for i := range n {
		for _, action := range []string{"DENY", "ALLOW"} {
			fmt.Fprintf(&text, "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: %s-%03d, namespace: shop}\nspec: {action: %s}\n", strings.ToLower(action), i, action)
		}
	}
	objects, err := scenario.Objects([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return Stored{Snapshot: mesh.New(mesh.Options{}, objects...)}
}

// TestPreview: what a revision finds that the one before did not, and the other way round.
func TestPreview(t *testing.T) {
	deny, allow := compiled(t, `input.object.spec.action == "DENY"`), compiled(t, `input.object.spec.action == "ALLOW"`)
	all, fails := compiled(t, `input.object.spec`), compiled(t, `to_number(input.object.metadata.name) > 1`)
	for name, c := range map[string]struct {
		before        *InForce
		after         *InForce
		adds, removes int32
	}{
		"the first":          {nil, deny, 40, 0},
		"the same":           {deny, deny, 0, 0},
		"wider":              {deny, all, 40, 0},
		"narrower":           {all, deny, 0, 40},
		"another":            {deny, allow, 40, 40},
		"one without answer": {deny, fails, 80, 40},
	} {
		t.Run(name, func(t *testing.T) {
			got := preview(t.Context(), stock(t, 40), c.before, c.after.pack)
			if len(got.Examples) != min(int(c.adds+c.removes), mostExamples) {
				t.Errorf("examples %q", got.Examples)
			}
			got.Examples = nil
			want := &v1alpha1.RulePackPreview{Revision: c.after.Revision, Objects: 80, Complete: true, Adds: c.adds, Removes: c.removes}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPreviewWithParameters: it judges with what Guardrails give, as the audit does.
func TestPreviewWithParameters(t *testing.T) {
	f := rule(`deny contains {"msg": "it is found."} if startswith(input.object.metadata.name, input.params.begins)` + "\n")
	f["acme/one.rego"] = strings.Replace(f["acme/one.rego"], "#   remediation", "#   params: {type: object, additionalProperties: false, properties: {begins: {type: string, default: none}}}\n#   remediation", 1)
	pack, err := f.load(false)
	if err != nil {
		t.Fatal(err)
	}
	s := stock(t, 40)
	if got := preview(t.Context(), s, nil, pack); got.Adds != 0 {
		t.Errorf("with the defaults: %+v", got)
	}
	s.Parameters = policies.NewParameters(map[string][]policies.Params{"acme/one": {{Key: `{"begins":"deny"}`, Values: map[string]any{"begins": "deny"}}}})
	if got := preview(t.Context(), s, nil, pack); got.Adds != 40 {
		t.Errorf("with parameters: %+v", got)
	}
}

// TestPreviewOfWhatIsNotRead: a preview in which rules could not be asked is not complete, and says for want of what.
func TestPreviewOfWhatIsNotRead(t *testing.T) {
	after := compiled(t, `mesh.policies("NetworkPolicy", "shop") == []`)
	s := stock(t, 2)
	s.Snapshot = mesh.New(mesh.Options{Unread: []mesh.Kind{mesh.NetworkPolicy, mesh.Secret}}, slices.Collect(s.Snapshot.Objects())...)
	got := preview(t.Context(), s, nil, after.pack)
	want := &v1alpha1.RulePackPreview{Revision: after.Revision, Objects: 4, Unread: []string{"NetworkPolicy.networking.k8s.io"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all := strings.Join(told(got), "\n"); !strings.Contains(all, "so far, for of what its rules ask for this is not read: NetworkPolicy.networking.k8s.io.") {
		t.Error(all)
	}
	s.Snapshot = mesh.New(mesh.Options{Unread: []mesh.Kind{mesh.Secret}}, slices.Collect(s.Snapshot.Objects())...)
	if got := preview(t.Context(), s, nil, after.pack); !got.Complete || got.Adds != 4 {
		t.Errorf("what no rule asks for is missed: %+v", got)
	}
}

// TestPreviewInPart: it says so where the time is over, and where nothing is known.
func TestPreviewInPart(t *testing.T) {
	deny := compiled(t, `input.object.spec.action == "DENY"`)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		s    Stored
		says string
	}{
		"over":      {over, stock(t, 40), "is not known yet"},
		"not known": {t.Context(), Stored{}, "is not known yet"},
		"known":     {t.Context(), stock(t, 40), "adds 40 findings and removes 0 among 80 stored objects that its rules are asked of."},
		"empty":     {t.Context(), stock(t, 0), "adds 0 findings and removes 0 among 0 stored objects"},
	} {
		got := preview(c.ctx, c.s, nil, deny.pack)
		if all := strings.Join(told(got), "\n"); !strings.Contains(all, c.says) {
			t.Errorf("%s: %+v: %s", name, got, all)
		}
	}
	if all := strings.Join(told(&v1alpha1.RulePackPreview{Objects: 3, Adds: 1}), "\n"); !strings.Contains(all, "so far, for the time was over") {
		t.Error(all)
	}
}
