package webhook

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// bare is the shop without a waypoint.
func bare() string {
	docs := slices.DeleteFunc(strings.Split(shop, "---\n"), func(doc string) bool { return strings.Contains(doc, "kind: Gateway\n") })
	return strings.ReplaceAll(strings.Join(docs, "---\n"), ", istio.io/use-waypoint: waypoint", "")
}

// TestForetell: what is said of a waypoint that is to come, by who makes it.
func TestForetell(t *testing.T) {
	provision := plan.Setting{Mode: plan.Provision, Profile: plan.Profile{Name: "default"}}
	agreed := strings.Replace(bare(), "{name: cart, namespace: shop}", `{name: cart, namespace: shop, annotations: {waywarden.dev/hold: "not before the rules"}}`, 1)
	held, guarded := provision, provision
	held.Pending, guarded.Bypass = plan.Guard, plan.Guard
	excepting := guarded
	excepting.Exceptions = []plan.Exception{{Principals: []string{"cluster.local/ns/monitoring/sa/prometheus"}, Reason: "scrapes"}}
	exposed := strings.Replace(bare(), "  selector: {app: cart}", "  type: NodePort\n  selector: {app: cart}", 1)
	const nobody = "Nobody gets in at Service shop/cart from shortly after this is stored until the waypoint serves: the Guardrail says pending: Guard, and it is agreed (waywarden.dev/hold), or no endpoint is ready."
	const none = `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: cart-1, namespace: shop, labels: {kubernetes.io/service-name: cart}}, addressType: IPv4, endpoints: []}`
	const except = `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: except, namespace: shop}, spec: {action: DENY, selector: {matchLabels: {app: cart}}, rules: [{from: [{source: {notNamespaces: [a]}}]}]}}`
	const only = "Once bound, only the waypoint gets to the pods of Service shop/cart: the Guardrail says bypass: Guard."
	const made = "Gateway shop/waypoint will be made for it by WaypointProfile default when this is stored, and Namespace shop is bound to it once it is ready. Until then calls pass as before."
	const theirs = "Gateway shop/wp will be made for it by WaypointProfile default when this is stored, and it takes effect once it is ready. Until then calls pass as before."
	const unclosed = "Service shop/cart: it is not guarded: Service shop/cart is of type NodePort, so callers from outside reach its pods without passing the waypoint. Let it come by the waypoint, or name those who come as an exception, with the Service."
	asking := func(mesh string) string {
		return strings.Replace(mesh, "env: prod", "env: prod, istio.io/use-waypoint: wp", 1)
	}
	const would = "Gateway shop/waypoint would put this in force, with Namespace shop bound to it. No Guardrail with mode Provision has that done: waywarden plan prints the manifests, and what else changes with them."
	for name, c := range map[string]struct {
		mesh, policy string
		setting      plan.Setting
		action       v1alpha1.Action
		asked        bool // by a Guardrail of the namespace
		want         []string
	}{
		"provisioned":                 {mesh: bare(), policy: bound, setting: provision, want: []string{made}},
		"although it would be denied": {mesh: bare(), policy: bound, setting: provision, action: v1alpha1.Deny, want: []string{made}}, // what waits is never denied
		"closed until then":           {mesh: agreed, policy: bound, setting: held, want: []string{strings.Replace(made, "as before.", "as before, but for what is closed.", 1), nobody}},
		"closed as nobody is served":  {mesh: bare() + "---\n" + none, policy: bound, setting: held, want: []string{strings.Replace(made, "as before.", "as before, but for what is closed.", 1), nobody}},
		"closed until that is decided": {mesh: agreed + "---\n" + except, policy: bound, setting: held, want: []string{
			"Nobody gets in at Service shop/cart from shortly after this is stored until that is decided: the Guardrail says pending: Guard, and it is agreed (waywarden.dev/hold)."}},
		"closed where nobody agreed": {mesh: bare(), policy: bound, setting: held, want: []string{made}},
		"closed from then on":        {mesh: bare(), policy: bound, setting: guarded, want: []string{made, only}},
		"closed from then on but for one": {mesh: bare(), policy: bound, setting: excepting,
			want: []string{made, strings.Replace(only, "waypoint gets", "waypoint and cluster.local/ns/monitoring/sa/prometheus gets", 1)}},
		"not closed, as another way is known":       {mesh: exposed, policy: bound, setting: guarded, want: []string{made, unclosed}},
		"what others labelled, closed until then":   {mesh: asking(agreed), policy: bound, setting: held, want: []string{strings.Replace(theirs, "as before.", "as before, but for what is closed.", 1), nobody}},
		"what others labelled, closed from then on": {mesh: asking(bare()), policy: bound, setting: guarded, want: []string{theirs, only}},
		"what others labelled, not closed":          {mesh: asking(exposed), policy: bound, setting: guarded, want: []string{theirs, unclosed}},
		"by its owner":                              {mesh: bare(), policy: bound, setting: plan.Setting{Mode: plan.Require}},
		"by its owner, as is asked":                 {mesh: bare(), policy: bound, setting: plan.Setting{Mode: plan.Observe}, asked: true, want: []string{would}},
		"by nobody":                                 {mesh: bare(), policy: bound},
		"in effect":                                 {mesh: shop, policy: bound, setting: provision},
		"never in effect":                           {mesh: bare(), policy: noOp, setting: provision},
		"in a shared namespace": {mesh: bare(), policy: bound, setting: plan.Setting{Mode: plan.Provision, Profile: plan.Profile{Name: "s", Granularity: plan.Shared, SharedNamespace: "istio-system"}},
			want: []string{strings.NewReplacer("shop/waypoint", "istio-system/waypoint-s", "Profile default", "Profile s").Replace(made)}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.action == "" {
				c.action = v1alpha1.Warn
			}
			o := options(snapshot(t, c.mesh), rulebook(t, []*v1alpha1.Guardrail{guardrail(c.action, "")}))
			o.Waypoints = func(*mesh.Snapshot) plan.Settings {
				if c.asked {
					return plan.Settings{Namespaces: map[string]plan.Setting{"shop": c.setting}}
				}
				return plan.Settings{Default: c.setting}
			}
			got := answer(t, New(o).Validating(), creates(t, c.policy))
			var said []string
			for _, w := range got.Warnings {
				if strings.HasPrefix(w, "Gateway ") || strings.HasPrefix(w, "Nobody ") || strings.HasPrefix(w, "Once ") || strings.HasPrefix(w, "Service shop/cart: it is not guarded") {
					said = append(said, w)
				}
			}
			if diff := cmp.Diff(c.want, said); diff != "" || !got.Allowed {
				t.Errorf("allowed: %v (-want +said):\n%s\nall: %q", got.Allowed, diff, got.Warnings)
			}
		})
	}
}

// TestForetellOfTheWholeMesh: no Gateway is announced that the plan of the whole mesh refuses, for what is in a namespace that the
// policy is not about; it is said why.
func TestForetellOfTheWholeMesh(t *testing.T) {
	const caller = `---
{apiVersion: v1, kind: Namespace, metadata: {name: front, labels: {istio.io/dataplane-mode: ambient}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: caller, namespace: front}, spec: {selector: {matchLabels: {app: caller}}, template: {metadata: {labels: {app: caller}}, spec: {containers: [{name: a, image: a}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: a, image: a}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: front}, spec: {podSelector: {}, egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: cart}}}]}]}}
`
	for name, tc := range map[string]struct {
		mode plan.Mode
		want string
	}{
		"provisioned":  {plan.Provision, "no waypoint is made for Service shop/cart: NetworkPolicy front/np keeps Deployment front/caller, which gets to Service shop/cart now, from the pods of waypoint shop/waypoint. Let it connect to port 15008."},
		"by its owner": {plan.Observe, "no waypoint can be planned for Service shop/cart: NetworkPolicy front/np keeps"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(snapshot(t, bare()+caller), rulebook(t, []*v1alpha1.Guardrail{guardrail(v1alpha1.Warn, "")}))
			o.Waypoints = func(*mesh.Snapshot) plan.Settings {
				return plan.Settings{Namespaces: map[string]plan.Setting{"shop": {Mode: tc.mode, Profile: plan.Profile{Name: "default"}}}}
			}
			got := answer(t, New(o).Validating(), creates(t, bound))
			if !got.Allowed || !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.HasPrefix(w, tc.want) }) ||
				slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.HasPrefix(w, "Gateway ") }) {
				t.Errorf("allowed %v: %q", got.Allowed, got.Warnings)
			}
		})
	}
}

// TestForetellIsAdvice: what is said of a waypoint neither refuses a request by a mistake of ours nor keeps it past its time, and what
// goes on beside is not more than so much.
func TestForetellIsAdvice(t *testing.T) {
	provision := plan.Settings{Default: plan.Setting{Mode: plan.Provision, Profile: plan.Profile{Name: "default"}}}
	o := options(snapshot(t, bare()), rulebook(t, []*v1alpha1.Guardrail{guardrail(v1alpha1.Warn, "")}))
	o.Concurrency = 1
	slow, broken := make(chan struct{}), false
	o.Waypoints = func(*mesh.Snapshot) plan.Settings {
		if broken {
			panic("out of its depth")
		}
		<-slow
		return provision
	}
	a := New(o)
	h := a.Validating()
	ask := func(within time.Duration) (took time.Duration, warnings []string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/?timeout="+within.String(), bytes.NewReader(bodyOf(t, creates(t, bound))))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		began := time.Now()
		h.ServeHTTP(w, r)
		got := answered(t, w)
		if got == nil || !got.Allowed {
			t.Fatalf("HTTP %d: %s", w.Code, w.Body)
		}
		return time.Since(began), got.Warnings
	}
	says := func(warnings []string, part string) bool {
		return slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, part) })
	}
	const late = "it is not known in time which waypoint this will have"
	if took, warnings := ask(800 * time.Millisecond); took > 800*time.Millisecond || !says(warnings, late) {
		t.Errorf("a plan that takes long kept the request for %s: %q", took, warnings)
	}
	if took, warnings := ask(20 * time.Second); took > 10*time.Second || !says(warnings, late) {
		t.Errorf("beside one that takes long another one was begun, for %s: %q", took, warnings)
	}
	close(slow)
	a.foretelling <- struct{}{} // when that one has ended
	<-a.foretelling
	if _, warnings := ask(20 * time.Second); !says(warnings, "Gateway shop/waypoint will be made for it") {
		t.Errorf("nothing is said any more: %q", warnings)
	}
	broken = true
	if _, warnings := ask(20 * time.Second); !says(warnings, "which is a mistake in waywarden: out of its depth") {
		t.Errorf("%q", warnings)
	}
}

// TestForetellBesideOurs: what Waywarden has made for another Service is not taken for somebody's waypoint that is used, and what it has
// made for this one is not announced again.
func TestForetellBesideOurs(t *testing.T) {
	const ours = `---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: NAME-waypoint, namespace: shop, labels: {app.kubernetes.io/managed-by: waywarden}, annotations: {waywarden.dev/profile: default}}, spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: other, namespace: shop, labels: {istio.io/use-waypoint: NAME-waypoint}, annotations: {waywarden.dev/profile: default}}, spec: {clusterIP: 10.96.0.99, selector: {app: other}, ports: [{name: http, port: 80}]}}
`
	for name, want := range map[string]string{
		"other": "Gateway shop/cart-waypoint will be made for it by WaypointProfile default when this is stored, and Service shop/cart is bound to it once it is ready.",
		"cart":  "Gateway shop/cart-waypoint is the waypoint for it; when this is stored, Service shop/cart is bound to it once it is ready.",
	} {
		t.Run(name, func(t *testing.T) {
			o := options(snapshot(t, bare()+strings.ReplaceAll(ours, "NAME", name)), rulebook(t, []*v1alpha1.Guardrail{guardrail(v1alpha1.Warn, "")}))
			o.Waypoints = func(*mesh.Snapshot) plan.Settings {
				return plan.Settings{Namespaces: map[string]plan.Setting{"shop": {Mode: plan.Provision, Profile: plan.Profile{Name: "default", Granularity: plan.PerService}}}}
			}
			o.Managed = func() plan.Managed {
				return plan.Managed{plan.RefOf(mesh.Gateway, "shop", name+"-waypoint"): nil, plan.RefOf(mesh.Service, "shop", "other"): {"istio.io/use-waypoint"}}
			}
			got := answer(t, New(o).Validating(), creates(t, bound))
			if !got.Allowed || !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.HasPrefix(w, want) }) {
				t.Errorf("allowed %v: %q", got.Allowed, got.Warnings)
			}
		})
	}
}
