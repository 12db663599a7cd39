package reviews

import (
	"bytes"
	"context"
	"errors"
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
	p := pages{alike: inventory.NewAlike()}
	if err := errors.Join(filemesh.Write(&p, o), p.read(p.text.Len())); err != nil {
		return nil, err
	}
	snapshot := mesh.New(mesh.Options{}, p.objects...)
	rules, problems := decide.New(decide.Options{Checks: checks}, guardrails(), nil)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return webhook.New(webhook.Options{Log: logr.Discard(), Source: webhook.Source{
		Snapshot: func() *mesh.Snapshot { return snapshot }, Rulebook: func() *decide.Rulebook { return rules }, Now: time.Now,
		Get:           func(context.Context, mesh.Kind, string, string) (*mesh.Object, error) { return nil, nil },
		MayBreakGlass: func(context.Context, authenticationv1.UserInfo) (bool, error) { return false, nil },
	}}), nil
}

func guardrails() []*v1alpha1.Guardrail {
	return []*v1alpha1.Guardrail{{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.GuardrailSpec{
		Checks: []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, MinSeverity: "high", Action: v1alpha1.Deny}}}}}
}

// pages reads manifests a page at a time and keeps what a watch keeps of an API server's pages, in the memory in which it does.
type pages struct {
	text    bytes.Buffer
	alike   *inventory.Alike
	objects []*mesh.Object
}

const pageBytes = 256 << 10 // about 500 objects

// Write reads what is there, once it is a page, up to the document that has only begun.
func (p *pages) Write(b []byte) (int, error) {
	p.text.Write(b)
	if p.text.Len() < pageBytes {
		return len(b), nil
	}
	return len(b), p.read(bytes.LastIndex(p.text.Bytes(), []byte("\n---\n")) + 1)
}

func (p *pages) read(n int) error {
	inv, err := inventory.Files(inventory.FileOptions{Stdin: bytes.NewReader(p.text.Next(n)), MaxBytes: 1 << 30}, "-")
	if err != nil {
		return err
	}
	for _, o := range inv.Objects {
		p.objects = append(p.objects, p.alike.Packed(o))
	}
	return nil
}
