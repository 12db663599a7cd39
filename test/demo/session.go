package main

import (
	"fmt"
	"time"
)

// step is one command of the session, and why it is shown.
type step struct {
	say     string // printed above as comments
	command string // what follows kubectl
	stdin   string // shown as a here-document
}

// exemptFor is how long the Exemption of the session lasts.
const exemptFor = 7 * 24 * time.Hour

// session is the demonstration. Each step finds what those before it left behind.
func session(now time.Time) []step {
	return []step{
		{"The chart is installed. Its pods run nothing here; a process answers in their stead, with the rights of their ServiceAccount.",
			"wait deployment/waywarden -n waywarden-system --for=condition=Available", ""},
		{"A canary was refused, which proves that admission works: from then on no policy is stored unseen.",
			"get validatingwebhookconfiguration/waywarden -o jsonpath='{.webhooks[*].failurePolicy}'", ""},
		{"A shop and a bank, and the waypoints that istiod makes for them.",
			"apply --server-side -f examples/shop/mesh.yaml -f examples/bank/mesh.yaml", ""},
		{"", "wait gateway.gateway.networking.k8s.io/waypoint -n shop --for=condition=Programmed", ""},
		{"", "wait gateway.gateway.networking.k8s.io/shared -n edge --for=condition=Programmed", ""},
		{"", "wait gateway.gateway.networking.k8s.io/egress -n egress --for=condition=Programmed", ""},
		{"Policies that do what they say. There is nothing to remark.",
			"apply --server-side -f examples/shop/policies.yaml -f examples/bank/policies.yaml", ""},
		{"Without a Guardrail everything is admitted; what has no effect is warned about. Here: a path, which ztunnel cannot read.",
			"apply --server-side --dry-run=server -f -", noInternal},
		{"From now on that is denied in the shop. In the bank what can safely be repaired is repaired on its way in.",
			"apply --server-side -f -", guardrails},
		{"", "wait guardrail/shop guardrail/bank --for=condition=Ready", ""},
		{"DENIED: the same policy again.", "apply --server-side -f -", noInternal},
		{"DENIED: two of the three mistakes of the shop; the third waits for another policy, and comes in with a warning. What is denied is not stored.", "apply --server-side -f examples/shop/mistakes.yaml", ""},
		{"WARNED: this one only waits for a waypoint. In whatever order things are applied, nobody is denied for it.",
			"apply --server-side -f -", waits},
		{"REPAIRED: in the bank, the mistake that is denied in the shop is bound to its Service.",
			"apply --server-side -f -", noDelete},
		{"", "get authorizationpolicy/no-delete -n payments -o jsonpath='{.spec}'", ""},
		{"What the repair took away and what it put there stays on the object, so that the same file can be applied again.",
			"get authorizationpolicy/no-delete -n payments -o jsonpath='{.metadata.annotations.waywarden\\.dev/repaired}'", ""},
		{"DENIED: changes of other objects that would put stored policies out of force. Somebody deletes the waypoint …",
			"delete gateway.gateway.networking.k8s.io/shared -n edge", ""},
		{"… or takes a namespace out of the mesh …", "label namespace/shop istio.io/dataplane-mode-", ""},
		{"… or deletes the mesh-wide policy that demands mTLS, which the bank has no other of.", "delete peerauthentication/strict -n istio-system", ""},
		{"WARNED: the last policy that says who may call the database goes. That is medium, and the shop denies from high on.", "delete authorizationpolicy/orders-db-clients -n shop", ""},
		{"EXEMPT: somebody signs for it, with a reason and an end. Who it was is filled in.",
			"apply --server-side -f -", exemption(now.Add(exemptFor))},
		{"", "wait exemption/cut-over -n shop --for=condition=Ready", ""},
		{"", "get exemption/cut-over -n shop -o jsonpath='{.spec.grantedBy}'", ""},
		{"", "apply --server-side -f -", noInternal},
		{"BREAK-GLASS: whoever has the right gets anything in, and it is recorded.", "apply --server-side -f -", brokenGlass},
		{"PROVISIONED: the policy that waits for a waypoint, read-only, gets one …",
			"apply --server-side -f -", provision},
		{"", "wait gateway.gateway.networking.k8s.io/waypoint -n ledger --for=create", ""},
		{"", "wait gateway.gateway.networking.k8s.io/waypoint -n ledger --for=condition=Programmed", ""},
		{"… but first what ztunnel says about clients is repeated at the waypoint, and ztunnel lets the waypoint in; each once istiod has had time to send out the one before.",
			"wait authorizationpolicy/waywarden-twin-ledger-clients.ledger -n ledger --for=create --timeout=2m", ""},
		{"", "wait authorizationpolicy/waywarden-admit-waypoint.ledger -n ledger --for=create --timeout=2m", ""},
		{"", "wait service/ledger -n ledger --for=condition=istio.io/WaypointBound --timeout=2m", ""},
		{"", "get namespace/ledger -o jsonpath='{.metadata.labels.istio\\.io/use-waypoint}'", ""},
	}
}

// noInternal is the first mistake of examples/shop, under a name that the Exemption covers.
const noInternal = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: legacy-no-internal, namespace: shop}
spec:
  action: DENY
  selector: {matchLabels: {app: cart}}
  rules: [{to: [{operation: {paths: ["/internal/*"]}}]}]
`

const brokenGlass = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: no-put
  namespace: shop
  annotations: {waywarden.dev/break-glass: incident 42}
spec:
  action: DENY
  selector: {matchLabels: {app: cart}}
  rules: [{to: [{operation: {methods: [PUT]}}]}]
`

const guardrails = `apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: shop}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
  checks: [{ids: ["*"], minSeverity: high, action: Deny}]
---
apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: bank}
spec:
  namespaceSelector: {matchLabels: {bank.example.com/tier: core}}
  checks: [{ids: ["*"], minSeverity: high, action: Deny}]
  fix: Admission
`

const provision = `apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: ledger}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ledger}}
  checks: [{ids: ["*"], minSeverity: high, action: Deny}]
  waypoints: {mode: Provision}
`

const waits = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: read-only, namespace: ledger}
spec:
  action: ALLOW
  targetRefs: [{group: "", kind: Service, name: ledger}]
  rules: [{to: [{operation: {methods: [GET]}}]}]
`

const noDelete = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-delete, namespace: payments}
spec:
  action: DENY
  selector: {matchLabels: {app: payments}}
  rules: [{to: [{operation: {methods: [DELETE]}}]}]
`

func exemption(until time.Time) string {
	return fmt.Sprintf(`apiVersion: waywarden.dev/v1alpha1
kind: Exemption
metadata: {name: cut-over, namespace: shop}
spec:
  checks: ["effect/*"]
  subjects: [{kind: AuthorizationPolicy, name: "legacy-*"}]
  reason: the partner moves behind the waypoint next week
  ticket: SEC-123
  expiresAt: %q
`, until.UTC().Format(time.RFC3339))
}
