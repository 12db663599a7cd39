package certs

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// TestJudge holds what is made of an answer to the words of an API server, 1.37; test/certs hears them from one.
func TestJudge(t *testing.T) {
	o := CanaryOptions{Namespace: "waywarden", Configuration: "waywarden", Webhook: "validate.waywarden.dev", Refusal: "this is the canary"}
	policies := schema.GroupResource{Group: "security.istio.io", Resource: "authorizationpolicies"}
	status := func(code int32, reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}}
	}
	for _, tc := range []struct {
		name string
		err  error
		want Outcome
	}{
		{"stored", nil, Admitted},
		{"the name is taken", apierrors.NewAlreadyExists(policies, CanaryName), Admitted},
		{"ours", status(422, "Invalid", `admission webhook "validate.waywarden.dev" denied the request: this is the canary: refused`), Refused},
		{"ours, for another reason", status(503, "", `admission webhook "validate.waywarden.dev" denied the request: too many requests`), Hidden},
		{"ours, for no reason", status(400, "", `admission webhook "validate.waywarden.dev" denied the request without explanation`), Hidden},
		{"another webhook", status(403, "Forbidden", `admission webhook "policy.example.com" denied the request: this is the canary`), Hidden},
		{"another webhook that quotes ours", status(403, "", `admission webhook "x" denied the request: admission webhook "validate.waywarden.dev" denied the request: this is the canary`), Hidden},
		{"a webhook whose name ends like ours", status(403, "", `admission webhook "re-validate.waywarden.dev" denied the request: this is the canary`), Hidden},
		{"no permission", apierrors.NewForbidden(policies, CanaryName, errors.New("this is the canary")), Hidden},
		{"a ValidatingAdmissionPolicy", status(422, "Invalid", `authorizationpolicies.security.istio.io "waywarden-canary" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no`), Hidden},
		{"no connection to ours", apierrors.NewInternalError(errors.New(`failed calling webhook "validate.waywarden.dev": failed to call webhook: Post "https://waywarden": x509: certificate signed by unknown authority`)), Unreachable},
		{"no connection to another", apierrors.NewInternalError(errors.New(`failed calling webhook "policy.example.com": failed to call webhook: EOF`)), Failed},
		{"no such namespace", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "waywarden"), Hidden},
		{"no such kind, for the client", &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "security.istio.io", Kind: "AuthorizationPolicy"}}, NotServed},
		{"no such kind, for the server", apierrors.NewGenericServerResponse(http.StatusNotFound, "POST", policies, "", "404 page not found", 0, true), NotServed},
		{"no API server", errors.New("dial tcp: connection refused"), Failed},
		{"a tired API server", apierrors.NewTooManyRequests("later", 1), Failed},
		{"a broken API server", apierrors.NewInternalError(errors.New("etcd")), Failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := o.judge(tc.err)
			if got.Outcome != tc.want {
				t.Errorf("%s, want %s", got.Outcome, tc.want)
			}
			if (got.Message == "") != (tc.want == Refused) {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}

func TestCanaryOptionsAreChecked(t *testing.T) {
	good := CanaryOptions{Config: &rest.Config{}, Namespace: "n", Configuration: "c", Webhook: "w", Label: "l", Refusal: "r", Report: func(Measurement) {}}
	for name, spoil := range map[string]func(*CanaryOptions){
		"no client":    func(o *CanaryOptions) { o.Config = nil },
		"no webhook":   func(o *CanaryOptions) { o.Webhook = "" },
		"any label":    func(o *CanaryOptions) { o.Label = "" },
		"any refusal":  func(o *CanaryOptions) { o.Refusal = "" },
		"nobody hears": func(o *CanaryOptions) { o.Report = nil },
	} {
		o := good
		spoil(&o)
		if _, err := NewCanary(o); err == nil || !strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewCanary(good); err != nil {
		t.Error(err)
	}
}
