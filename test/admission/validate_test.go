//go:build cluster

package admission

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/waywarden/waywarden/test/serving"
)

const shop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {env: prod, istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}
---
apiVersion: v1
kind: Namespace
metadata: {name: play, labels: {istio.io/dataplane-mode: ambient}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.100.1, selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: waypoint, namespace: shop}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {containers: [{name: app, image: app}]}
`

// address makes a waypoint ready, as istiod does.
const address = `{"status": {"addresses": [{"type": "IPAddress", "value": "10.96.100.2"}]}}`

const production = `
apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: production}
spec:
  namespaceSelector: {matchLabels: {env: prod}}
  checks:
  - {ids: ["*"], action: Deny, minSeverity: high}
`

const noOp = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-op, namespace: NAMESPACE}
spec:
  action: DENY
  selector: {matchLabels: {app: cart}}
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`

const guard = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: guard, namespace: shop}
spec:
  action: DENY
  targetRefs: [{group: "", kind: Service, name: cart}]
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`

func in(namespace, yaml string) string { return strings.ReplaceAll(yaml, "NAMESPACE", namespace) }

func (w *world) shop() {
	w.t.Helper()
	w.apply(shop)
	gateway := w.resource(object(w.t, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: waypoint, namespace: shop}"))
	if _, err := gateway.Patch(w.t.Context(), "waypoint", types.MergePatchType, []byte(address), metav1.PatchOptions{}, "status"); err != nil {
		w.t.Fatal(err)
	}
}

const noOpCheck = "effect/l7-deny-no-op"
const noOpField = "spec.rules[0].to[0].operation.methods"

// TestDenyWarnAudit goes through what Guardrails do with one policy.
func TestDenyWarnAudit(t *testing.T) {
	w := installed(t)
	w.shop()
	play, prod := object(t, in("play", noOp)), object(t, in("shop", noOp))

	// Without a Guardrail everything is a warning.
	w.warnings.take()
	if err := w.create(prod, true); err != nil {
		t.Fatal(err)
	}
	w.warned(noOpCheck)

	w.apply(production)
	w.eventually("the Guardrail denies", func() error {
		if err := w.create(prod, true); err == nil {
			return errors.New("admitted")
		}
		return nil
	})
	w.denied(w.create(prod, true), noOpField, noOpCheck)
	w.denied(w.create(prod, false), noOpField, noOpCheck)
	if err := w.Apply(t.Context(), []byte(in("shop", noOp))); err == nil {
		t.Error("server-side apply went past the Guardrail")
	}
	if err := w.create(play, false); err != nil {
		t.Errorf("denied outside of the Guardrail: %v", err)
	}
	if _, err := w.resource(prod).Get(t.Context(), "no-op", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the denied policy is stored: %v", err)
	}
	w.guardrailStatus("production", 1)
}

func (w *world) guardrailStatus(name string, namespaces int64) {
	w.t.Helper()
	g := object(w.t, "apiVersion: waywarden.dev/v1alpha1\nkind: Guardrail\nmetadata: {name: "+name+"}")
	w.eventually("the Guardrail has a status", func() error {
		got, err := w.resource(g).Get(w.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		status, _ := got.Object["status"].(map[string]any)
		if status["namespaces"] != namespaces {
			return fmt.Errorf("status %v", status)
		}
		return nil
	})
}

// TestUpdate: what was stored before is not denied again while nothing that decides changes; a status is not looked at.
func TestUpdate(t *testing.T) {
	w := installed(t)
	w.shop()
	policy := object(t, in("shop", noOp))
	if err := w.create(policy, false); err != nil {
		t.Fatal(err)
	}
	w.apply(production)
	client := w.resource(policy)
	patch := func(p string, sub ...string) error {
		_, err := client.Patch(t.Context(), "no-op", types.MergePatchType, []byte(p), metav1.PatchOptions{}, sub...)
		return err
	}
	w.eventually("a change of its rules is denied", func() error {
		err := patch(`{"spec": {"rules": [{"to": [{"operation": {"methods": ["PUT"]}}]}]}}`)
		if err == nil {
			return errors.New("admitted")
		}
		w.denied(err, noOpField, noOpCheck)
		return nil
	})
	if err := patch(`{"metadata": {"finalizers": ["example.com/wait"]}}`); err != nil {
		t.Errorf("a finalizer was denied: %v", err)
	}
	if err := patch(`{"status": {"conditions": [{"type": "Seen", "status": "True"}]}}`, "status"); err != nil {
		t.Errorf("the status was denied: %v", err)
	}
	if err := patch(`{"spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "cart"}], "selector": null}}`); err != nil {
		t.Errorf("the cure was denied: %v", err)
	}
	if err := client.Delete(t.Context(), "no-op", metav1.DeleteOptions{}); err != nil {
		t.Errorf("the deletion was denied: %v", err)
	}
	if err := patch(`{"metadata": {"finalizers": null}}`); err != nil {
		t.Errorf("the end of the finalizer was denied: %v", err)
	}
}

// TestWhatIsStoredStays: changes of other objects that would break the policy are denied, with the policy's name.
func TestWhatIsStoredStays(t *testing.T) {
	w := installed(t)
	w.shop()
	w.apply(production)
	w.apply(guard)
	namespace := object(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}")
	service := object(t, "apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}")
	gateway := object(t, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: waypoint, namespace: shop}")
	dry := []string{metav1.DryRunAll}
	for _, c := range []struct {
		name, field string
		do          func() error
	}{
		{"unlabel the Namespace", "metadata.labels[istio.io/use-waypoint]", func() error {
			_, err := w.resource(namespace).Patch(t.Context(), "shop", types.MergePatchType, []byte(`{"metadata": {"labels": {"istio.io/use-waypoint": null}}}`), metav1.PatchOptions{DryRun: dry})
			return err
		}},
		{"unlabel the Namespace and slip out of the Guardrail", "metadata.labels[istio.io/use-waypoint]", func() error {
			_, err := w.resource(namespace).Patch(t.Context(), "shop", types.MergePatchType, []byte(`{"metadata": {"labels": {"istio.io/use-waypoint": null, "env": null}}}`), metav1.PatchOptions{DryRun: dry})
			return err
		}},
		{"turn HTTP into TCP", "spec.ports", func() error {
			_, err := w.resource(service).Patch(t.Context(), "cart", types.StrategicMergePatchType, []byte(`{"spec": {"ports": [{"port": 80, "name": "tcp"}]}}`), metav1.PatchOptions{DryRun: dry})
			return err
		}},
		{"delete the waypoint", "metadata", func() error {
			return w.resource(gateway).Delete(t.Context(), "waypoint", metav1.DeleteOptions{DryRun: dry})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.eventually("it is denied", func() error {
				err := c.do()
				if err == nil {
					return errors.New("admitted")
				}
				w.denied(err, c.field, "change/policy-broken")
				if !strings.Contains(err.Error(), "AuthorizationPolicy shop/guard") {
					t.Errorf("it does not name the policy: %v", err)
				}
				return nil
			})
		})
	}
	w.t = t
	if _, err := w.resource(service).Patch(t.Context(), "cart", types.MergePatchType, []byte(`{"metadata": {"labels": {"team": "a"}}}`), metav1.PatchOptions{}); err != nil {
		t.Errorf("a harmless label was denied: %v", err)
	}
	// A Namespace that goes takes everything with it, whoever empties it.
	if err := w.resource(namespace).Delete(t.Context(), "shop", metav1.DeleteOptions{}); err != nil {
		t.Errorf("the Namespace cannot be deleted: %v", err)
	}
	if err := w.resource(gateway).Delete(t.Context(), "waypoint", metav1.DeleteOptions{}); err != nil {
		t.Errorf("the waypoint of a Namespace that terminates cannot be deleted: %v", err)
	}
}

// TestOwnKinds: who grants an Exemption is entered, and cannot be forged; what would last too long is refused.
func TestOwnKinds(t *testing.T) {
	w := start(t, 1, "--max-exemption", "48h")
	w.shop()
	w.apply(production)
	const exemption = `
apiVersion: waywarden.dev/v1alpha1
kind: Exemption
metadata: {name: legacy, namespace: shop}
spec:
  checks: ["effect/l7-deny-no-op"]
  subjects: [{kind: AuthorizationPolicy, name: no-*}]
  reason: cut-over
  expiresAt: "EXPIRES"
`
	expiring := func(at string) string { return strings.ReplaceAll(exemption, "EXPIRES", at) }
	soon := tomorrow()
	forged := object(t, expiring(soon))
	forged.Object["spec"].(map[string]any)["grantedBy"] = "somebody-else"
	if err := w.create(forged, true); err != nil {
		t.Errorf("a forged name is not replaced but denied: %v", err)
	}
	for at, want := range map[string]string{"2020-01-01T00:00:00Z": "has passed", "2999-01-01T00:00:00Z": "would last too long"} {
		if err := w.create(object(t, expiring(at)), true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expiresAt %s: %v, want %q", at, err, want)
		}
	}
	w.eventually("the Guardrail denies", func() error {
		if w.create(object(t, in("shop", noOp)), true) == nil {
			return errors.New("admitted")
		}
		return nil
	})
	if err := w.create(object(t, expiring(soon)), false); err != nil {
		t.Fatal(err)
	}
	stored, err := w.resource(forged).Get(t.Context(), "legacy", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if by := stored.Object["spec"].(map[string]any)["grantedBy"]; by != "admin" && by != "system:admin" && !slices.Contains([]any{"kubernetes-admin"}, by) {
		t.Errorf("granted by %v", by)
	}
	w.eventually("the Exemption excepts", func() error { return w.create(object(t, in("shop", noOp)), true) })
	if err := w.create(object(t, in("shop", noOp)), false); err != nil {
		t.Fatal(err)
	}
	w.eventually("the Exemption is seen to be used", func() error {
		got, err := w.resource(forged).Get(t.Context(), "legacy", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if status, _ := got.Object["status"].(map[string]any); status["state"] != "Active" || status["matched"] != int64(1) {
			return fmt.Errorf("status %v", status)
		}
		return nil
	})
}

// TestGuardrailDeleted: nobody is kept from deleting a Guardrail, and whoever does hears what is protected no more.
func TestGuardrailDeleted(t *testing.T) {
	w := start(t, 1)
	w.shop()
	w.apply(production)
	w.deniesNow()
	w.warnings.take()
	g := object(t, production)
	if err := w.resource(g).Delete(t.Context(), "production", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.warned("in Namespace shop, and no other one does.")
	w.eventually("the deletion is counted, and no Guardrail denies", func() error {
		if text := w.metrics(w.replicas[0]); !strings.Contains(text, `waywarden_admission_requests_total{decision="warn",dry_run="false",kind="Guardrail",operation="DELETE"} 1`) {
			return errors.New("it is not")
		}
		return w.create(object(t, in("shop", noOp)), true)
	})
}

// TestMetrics: what was decided, what is stored, and which rules fail can be read off a replica.
func TestMetrics(t *testing.T) {
	w := start(t, 1, "--rules", filepath.Join("testdata", "failing"))
	w.shop()
	if err := w.create(object(t, in("shop", noOp)), false); err != nil {
		t.Fatal(err)
	}
	w.eventually("the replica counts", func() error {
		text := w.metrics(w.replicas[0])
		for _, want := range []string{
			`waywarden_admission_requests_total{decision="warn",dry_run="false",kind="AuthorizationPolicy",operation="CREATE"} 1`,
			`waywarden_findings{action="Warn",check="effect/l7-deny-no-op",severity="critical"} 1`,
			`waywarden_snapshot_objects{kind="AuthorizationPolicy"} 1`, `waywarden_canary_success 1`, `waywarden_snapshot_unread 0`, `waywarden_certificate_expiry_seconds`, `waywarden_snapshot_age_seconds`,
			`waywarden_rule_errors_total{rule="acme/at-admission"} 1`, `waywarden_rule_duration_seconds_count{rule="acme/at-admission"} 1`,
			`waywarden_rule_errors_total{rule="acme/well"} 0`,
		} {
			if !strings.Contains(text, want) {
				return errors.New("no " + want)
			}
		}
		return nil
	})
}

// metrics are those of a replica.
func (w *world) metrics(r *serving.Replica) string {
	w.t.Helper()
	resp, err := http.Get(r.Metrics)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(body)
}
