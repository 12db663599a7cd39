//go:build cluster

package certs

import (
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/certs"
	"github.com/waywarden/waywarden/test/cluster"
)

// guarded has AuthorizationPolicies reviewed by ours, and by another's webhook; both are installed with Ignore.
const guarded = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: waywarden}
webhooks:
- name: validate.waywarden.dev
  clientConfig: {url: "OURS"}
  failurePolicy: Ignore
  sideEffects: None
  admissionReviewVersions: [v1]
  timeoutSeconds: 3
  rules: [{apiGroups: [security.istio.io], apiVersions: [v1], operations: [CREATE], resources: [authorizationpolicies]}]
- name: delete.waywarden.dev
  clientConfig: {url: "OURS"}
  failurePolicy: Ignore
  sideEffects: None
  admissionReviewVersions: [v1]
  rules: [{apiGroups: [security.istio.io], apiVersions: [v1], operations: [DELETE], resources: [authorizationpolicies]}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: waywarden}
webhooks:
- name: other.example.com
  clientConfig: {url: "OTHER"}
  failurePolicy: Ignore
  sideEffects: None
  admissionReviewVersions: [v1]
  timeoutSeconds: 3
  rules: [{apiGroups: [security.istio.io], apiVersions: [v1], operations: [CREATE], resources: [authorizationpolicies]}]
`

const refusal = "this is the canary"

// aviary is a cluster in which the canary flies.
type aviary struct {
	t           *testing.T
	client      kubernetes.Interface
	cluster     *cluster.Cluster
	cfg         *rest.Config
	ours, other *server
	// measured holds the last measurement of a canary that runs.
	measured chan certs.Measurement
}

func newAviary(t *testing.T) *aviary {
	c := cluster.Start(t)
	a := &aviary{t: t, cluster: c, cfg: limited(t, c), measured: make(chan certs.Measurement)}
	var err error
	if a.client, err = kubernetes.NewForConfig(c.Config); err != nil {
		t.Fatal(err)
	}
	source := selfSigned(t, a.cfg)
	a.ours, a.other = serve(t, source, true), serve(t, source, true)
	if err := c.Apply(t.Context(), []byte(strings.NewReplacer("OURS", a.ours.url, "OTHER", a.other.url).Replace(guarded))); err != nil {
		t.Fatal(err)
	}
	run(t, source)
	run(t, source.Writer())
	eventually(t, 10*time.Second, func() error { return source.Ready(time.Now()) })
	return a
}

func (a *aviary) options() certs.CanaryOptions {
	return certs.CanaryOptions{
		Config: a.cfg, Namespace: namespace, Configuration: hooks, Webhook: "validate.waywarden.dev", Label: "waywarden.dev/canary", Refusal: refusal,
		Interval: 240 * time.Millisecond, Report: func(m certs.Measurement) { a.measured <- m },
	}
}

// fly runs a canary until the function returns; what it measures has to be taken by sees.
func (a *aviary) fly(o certs.CanaryOptions, f func()) {
	a.t.Helper()
	c, err := certs.NewCanary(o)
	if err != nil {
		a.t.Fatal(err)
	}
	stop := run(a.t, c)
	f()
	drained := make(chan struct{})
	go func() {
		for {
			select {
			case <-a.measured:
			case <-drained:
				return
			}
		}
	}()
	stop()
	close(drained)
}

// sees waits for an outcome, and for one more: whatever is done about the outcome has been done then.
func (a *aviary) sees(want certs.Outcome) certs.Measurement {
	a.t.Helper()
	var last certs.Measurement
	for deadline := time.After(20 * time.Second); ; {
		select {
		case last = <-a.measured:
			if last.Outcome == want {
				next := <-a.measured
				if next.Outcome != want {
					a.t.Errorf("%s after %s: %s", next.Outcome, want, next.Message)
				}
				return last
			}
		case <-deadline:
			a.t.Fatalf("the canary was not %s; the last was %s: %s", want, last.Outcome, last.Message)
		}
	}
}

// policies are the failurePolicy of each webhook of ours.
func (a *aviary) policies() string {
	a.t.Helper()
	v, err := a.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(a.t.Context(), hooks, metav1.GetOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	return string(*v.Webhooks[0].FailurePolicy) + " " + string(*v.Webhooks[1].FailurePolicy)
}

func (a *aviary) want(policies string) {
	a.t.Helper()
	if got := a.policies(); got != policies {
		a.t.Errorf("failurePolicy %s, want %s", got, policies)
	}
}

func (a *aviary) patch(patch string) {
	a.t.Helper()
	_, err := a.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(a.t.Context(), hooks, types.StrategicMergePatchType, []byte(patch),
		metav1.PatchOptions{FieldManager: "helm"})
	if err != nil {
		a.t.Fatal(err)
	}
}

func because(why string) func(*admissionv1.AdmissionRequest) string {
	return func(r *admissionv1.AdmissionRequest) string {
		if r.Name == certs.CanaryName && r.DryRun != nil && *r.DryRun && strings.Contains(string(r.Object.Raw), `"waywarden.dev/canary":"true"`) {
			return why
		}
		return ""
	}
}

// TestCanary: failurePolicy is raised by our own refusal of the canary, by no other answer, and never lowered.
func TestCanary(t *testing.T) {
	a := newAviary(t)
	a.fly(a.options(), func() {
		a.sees(certs.Admitted)
		a.want("Ignore Ignore")

		a.other.answer(because(refusal))
		if m := a.sees(certs.Hidden); !strings.Contains(m.Message, "other.example.com") {
			t.Errorf("it is not said who refused: %s", m.Message)
		}
		a.want("Ignore Ignore")
		a.other.answer(because(""))

		a.ours.answer(because("too many requests at once"))
		a.sees(certs.Hidden)
		a.want("Ignore Ignore")

		a.ours.answer(because(refusal))
		a.sees(certs.Refused)
		a.want("Fail Ignore")
		a.ownsFailurePolicyAlone()

		a.upgrades()
		a.want("Fail Ignore")

		// An upgrade that is not server-side apply resets it.
		a.patch(`{"webhooks":[{"name":"validate.waywarden.dev","failurePolicy":"Ignore"}]}`)
		a.sees(certs.Refused)
		a.want("Fail Ignore")

		a.ours.answer(because(""))
		a.sees(certs.Admitted)
		a.want("Fail Ignore")

		a.ours.http.Close()
		if m := a.sees(certs.Unreachable); !strings.Contains(m.Message, certs.PinAnnotation) {
			t.Errorf("it is not said what to do: %s", m.Message)
		}
		a.want("Fail Ignore")
	})
	policies := schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "authorizationpolicies"}
	if list, err := a.cluster.Dynamic.Resource(policies).List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) > 0 {
		t.Errorf("%v; %d policies are stored, want none", err, len(list.Items))
	}
}

func (a *aviary) ownsFailurePolicyAlone() {
	a.t.Helper()
	v, err := a.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(a.t.Context(), hooks, metav1.GetOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	want := `{"f:webhooks":{"k:{\"name\":\"validate.waywarden.dev\"}":{".":{},"f:failurePolicy":{},"f:name":{}}}}`
	if got := owned(v.ManagedFields, certs.FailurePolicyManager); len(got) != 1 || got[0] != want {
		a.t.Errorf("fields %s, want %s", got, want)
	}
}

// upgrades are of a chart that is applied by the server: one that says what it finds goes through, one that says Ignore
// conflicts with the manager that docs/certificates.md names.
func (a *aviary) upgrades() {
	a.t.Helper()
	apply := func(policy string) error {
		config := `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"waywarden"},
			"webhooks":[{"name":"validate.waywarden.dev","failurePolicy":"` + policy + `"}]}`
		_, err := a.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(a.t.Context(), hooks, types.ApplyPatchType, []byte(config),
			metav1.PatchOptions{FieldManager: "helm-apply"})
		return err
	}
	if err := apply("Fail"); err != nil {
		a.t.Errorf("an upgrade that changes nothing: %v", err)
	}
	if err := apply("Ignore"); !apierrors.IsConflict(err) || !strings.Contains(err.Error(), certs.FailurePolicyManager) {
		a.t.Errorf("an upgrade that sets Ignore: %v, want a conflict with %s", err, certs.FailurePolicyManager)
	}
}

// TestCanaryLeavesAPinnedPolicy: by the chart's value, and by the annotation.
func TestCanaryLeavesAPinnedPolicy(t *testing.T) {
	a := newAviary(t)
	a.ours.answer(because(refusal))
	pinned := a.options()
	pinned.Pinned = true
	a.fly(pinned, func() {
		a.sees(certs.Refused)
		a.want("Ignore Ignore")
	})
	a.patch(`{"metadata":{"annotations":{"` + certs.PinAnnotation + `":"outage"}}}`)
	a.fly(a.options(), func() {
		a.sees(certs.Refused)
		a.want("Ignore Ignore")
		a.patch(`{"metadata":{"annotations":{"` + certs.PinAnnotation + `":null}}}`)
		a.sees(certs.Refused)
		a.want("Fail Ignore")
	})
}

// TestCanaryThatCannotFly: without the right to create policies, and without Istio, nothing is known and nothing is
// raised.
func TestCanaryThatCannotFly(t *testing.T) {
	a := newAviary(t)
	a.ours.answer(because(refusal))
	nobody := a.options()
	nobody.Config = rest.CopyConfig(a.cfg)
	nobody.Config.Impersonate.UserName = "nobody"
	a.fly(nobody, func() {
		if m := a.sees(certs.Hidden); !strings.Contains(m.Message, "forbidden") {
			t.Errorf("it is not said what is missing: %s", m.Message)
		}
		a.want("Ignore Ignore")
	})
	elsewhere := a.options()
	elsewhere.Config, elsewhere.Namespace = a.cluster.Config, "nowhere"
	a.fly(elsewhere, func() {
		a.sees(certs.Hidden)
		a.want("Ignore Ignore")
	})
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	if err := a.cluster.Dynamic.Resource(crds).Delete(t.Context(), "authorizationpolicies.security.istio.io", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	a.fly(a.options(), func() {
		a.sees(certs.NotServed)
		a.want("Ignore Ignore")
	})
}
