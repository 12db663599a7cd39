package reviews

import (
	"bytes"
	"context"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks" // the built-in checks register themselves
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/zerotrust"
	"github.com/waywarden/waywarden/test/bench/filemesh"
	"github.com/waywarden/waywarden/webhook"
)

// Checks are all that come with the program: the built-in checks, and the rules of the zero-trust library or not.
func Checks(library bool) []*policies.Check {
	checks := policies.Checks()
	if library {
		checks = append(checks, zerotrust.Pack().Checks()...)
	}
	return checks
}

// Admission is a webhook with these checks, and a Guardrail that denies, over a mesh that does not change.
func Admission(o filemesh.Options, checks []*policies.Check) (*webhook.Admission, error) {
	var manifests bytes.Buffer
	if err := filemesh.Write(&manifests, o); err != nil {
		return nil, err
	}
	inv, err := inventory.Files(inventory.FileOptions{Stdin: &manifests, MaxBytes: 1 << 30}, "-")
	if err != nil {
		return nil, err
	}
	snapshot := mesh.New(mesh.Options{}, asWatched(inv.Objects)...)
	rules, problems := decide.New(decide.Options{}, guardrails(), nil)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return webhook.New(webhook.Options{Log: logr.Discard(), Checks: checks, Source: webhook.Source{
		Snapshot: func() *mesh.Snapshot { return snapshot }, Rulebook: func() *decide.Rulebook { return rules }, Now: time.Now,
		Get:           func(context.Context, mesh.Kind, string, string) (*mesh.Object, error) { return nil, nil },
		MayBreakGlass: func(context.Context, authenticationv1.UserInfo) (bool, error) { return false, nil },
	}}), nil
}

func guardrails() []*v1alpha1.Guardrail {
	return []*v1alpha1.Guardrail{{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.GuardrailSpec{
		Checks: []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, MinSeverity: "high", Action: v1alpha1.Deny}}}}}
}

// asWatched are the objects without what a watch does not keep of them, of which there is most.
func asWatched(objects []*mesh.Object) []*mesh.Object {
	out := make([]*mesh.Object, len(objects))
	for i, o := range objects {
		out[i] = o
		if o.Kind == mesh.Pod {
			pod := *o
			pod.Content, out[i] = nil, &pod
		}
	}
	return out
}
