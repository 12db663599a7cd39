//go:build cluster

package waypoints

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ruled are the profile of a kind of lives, its Guardrail, and how a namespace says that they are for it.
const (
	ruled = `
apiVersion: waywarden.dev/v1alpha1
kind: WaypointProfile
metadata: {name: %[1]s}
spec: %[2]s
---
apiVersion: waywarden.dev/v1alpha1
kind: Guardrail
metadata: {name: a-%[1]s}
spec:
  namespaceSelector: {matchLabels: {life: %[1]s}}
  checks: [{ids: ["*"], action: Warn}]
  waypoints: {mode: Provision, bypass: Guard, profile: %[1]s%[3]s}
`
	inLife = `
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s, labels: {istio.io/dataplane-mode: ambient, life: %[2]s}}
`
	wholeProfile = "{retainFor: 1s, replicas: 2, disruptionBudget: {minAvailable: 1}}"
	lessProfile  = "{retainFor: 1s, replicas: 2}"
)

// lives are the kinds of lives. What is said of clients and a guard are part of all, a disruption budget of all that are not shared.
var lives = []life{whole, moved, shifted, held, shared}

// whole is a waypoint that is made, asked for less, and removed.
var whole = life{kind: "whole", parts: []string{""}, setup: enrolled(""), stages: []stage{
	{"served", func(r *run, name string) {
		r.apply(fmt.Sprintf(profile, wholeProfile) + "---" + fmt.Sprintf(denyGet, name))
	}, func(r *run, name string) bool { return r.serves(name, "waypoint", 1) && r.whole(name, "waypoint") }},
	{"served by less", func(r *run, _ string) { r.apply(fmt.Sprintf(profile, lessProfile)) }, func(r *run, name string) bool {
		return r.lessened(name, "waypoint") && r.serves(name, "waypoint", 1)
	}},
	{"removed", func(r *run, name string) { r.remove(policies, name, "deny-get") }, (*run).asBefore},
}}

// moved is what moves to another waypoint at once, with what names the first one.
var moved = life{kind: "moved", spares: told, parts: []string{""}, setup: enrolled("moved"), rules: fmt.Sprintf(ruled, "moved", wholeProfile, ""),
	begun: stage{"bound to the first waypoint", func(r *run, name string) {
		r.apply(fmt.Sprintf(denyGet, name) + "---" + fmt.Sprintf(atGateway, name))
	}, func(r *run, name string) bool { return r.serves(name, "waypoint", 3) && r.whole(name, "waypoint") }},
	stages: []stage{
		{"moved", func(r *run, name string) {
			r.annotate(name, "waypoint", map[string]any{"waywarden.dev/migrate-to": "second"})
		}, func(r *run, name string) bool {
			return r.serves(name, "second", 3) && r.whole(name, "second") && r.gone(name, "waypoint")
		}},
	}}

// shifted is what moves by steps, and first back again.
var shifted = life{kind: "shifted", spares: makes, parts: []string{""}, setup: enrolled("shifted"), rules: fmt.Sprintf(ruled, "shifted", wholeProfile, ""),
	begun: stage{"bound to the first waypoint", func(r *run, name string) { r.apply(fmt.Sprintf(denyGet, name)) },
		func(r *run, name string) bool { return r.serves(name, "waypoint", 1) && r.whole(name, "waypoint") }},
	stages: []stage{
		{"shared out by steps", func(r *run, name string) {
			r.annotate(name, "waypoint", map[string]any{"waywarden.dev/migrate-to": "second", "waywarden.dev/migrate-steps": "20/1s,60"})
		}, func(r *run, name string) bool {
			return bindingOf(r.get(namespaces, "", name)) == "waypoint+second=60" && r.whole(name, "second")
		}},
		{"taken back", func(r *run, name string) {
			r.annotate(name, "waypoint", map[string]any{"waywarden.dev/migrate-to": nil})
		}, func(r *run, name string) bool { return r.serves(name, "waypoint", 1) && r.gone(name, "second") }},
		{"moved by steps", func(r *run, name string) {
			r.annotate(name, "waypoint", map[string]any{"waywarden.dev/migrate-to": "second", "waywarden.dev/migrate-go": "60"})
		}, func(r *run, name string) bool {
			return r.serves(name, "second", 1) && r.whole(name, "second") && r.gone(name, "waypoint")
		}},
	}}

// held is what nobody gets in to until it has a waypoint, and after that only by the waypoint.
var held = life{kind: "held", spares: told, parts: []string{""}, check: heldFirst, rules: fmt.Sprintf(ruled, "held", wholeProfile, ", pending: Guard"),
	setup: func(name string) string { return enrolled("held")(name) + "---" + fmt.Sprintf(heldCart, name) },
	stages: []stage{
		{"served, and guarded as it was held", func(r *run, name string) { r.apply(fmt.Sprintf(denyGet, name)) },
			func(r *run, name string) bool { return r.serves(name, "waypoint", 1) && r.whole(name, "waypoint") }},
	}}

// shared is a waypoint that two namespaces join and leave, the one for a waypoint of its own, the other because it needs none. Who has left
// it keeps it let in, and notes it, until it is gone.
var shared = life{kind: "shared", spares: told, from: 1, parts: []string{"", "-north", "-south"}, setup: sharedLife, stages: []stage{
	{"joined by the south", func(r *run, name string) { r.apply(fmt.Sprintf(denyGet, name+"-south")) },
		func(r *run, name string) bool { return r.sharedBy(name, 1, "-south") }},
	{"joined by the north", func(r *run, name string) { r.apply(fmt.Sprintf(denyGet, name+"-north")) },
		func(r *run, name string) bool { return r.sharedBy(name, 2, "-north", "-south") }},
	{"left by the north", func(r *run, name string) { r.apply(fmt.Sprintf(ownWaypoint, name+"-north")) },
		func(r *run, name string) bool {
			return r.sharedBy(name, 1, "-south") && r.boundTo(name+"-north", "cart", name+"-north/by-hand") && r.letsIn(name+"-north", name+"-north/by-hand", name+"/waypoint-"+name)
		}},
	{"left by the south, and removed", func(r *run, name string) { r.remove(policies, name+"-south", "deny-get") },
		func(r *run, name string) bool {
			return r.gone(name, "waypoint-"+name) && r.boundTo(name+"-north", "cart", name+"-north/by-hand") && r.letsIn(name+"-north", name+"-north/by-hand") &&
				cmp.Equal(r.before[name+"-south"], r.inventory(name+"-south")) && cmp.Equal(r.before[name], r.inventory(name))
		}},
}}

const (
	// heldCart agrees that nobody gets in until its waypoint serves.
	heldCart = `
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: %[1]s, annotations: {waywarden.dev/hold: "a planned outage"}}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
`
	// ownWaypoint is one that somebody made for a namespace.
	ownWaypoint = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: by-hand, namespace: %[1]s, labels: {istio.io/waypoint-for: service}}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
`
)

// enrolled is a shop of which something is said of clients, in a namespace for a profile.
func enrolled(profile string) func(string) string {
	return func(name string) string {
		return fmt.Sprintf(shop, name) + "---" + fmt.Sprintf(inLife, name, profile) + "---" + fmt.Sprintf(allowFront, name)
	}
}

// sharedLife is a namespace in which others have a waypoint in common.
func sharedLife(name string) string {
	out := fmt.Sprintf(inLife, name, "") + "---" + fmt.Sprintf(ruled, name, "{granularity: Shared, sharedNamespace: "+name+", retainFor: 1s}", "")
	for _, ns := range []string{name + "-north", name + "-south"} {
		out += "---" + enrolled(name)(ns)
	}
	return out
}

// heldFirst fails unless a guard is written before anything else, and does not go: there is no moment between the hold and the guard.
func heldFirst(t *testing.T, writes []string) {
	t.Helper()
	const guard = "/apis/security.istio.io/v1/namespaces/LIFE/authorizationpolicies/waywarden-guard-cart"
	gone := 0
	for _, which := range writes {
		if strings.HasPrefix(which, "DELETE "+guard) {
			gone++
		}
	}
	if len(writes) == 0 || !strings.HasPrefix(writes[0], "PATCH "+guard) || gone != 0 {
		t.Errorf("nobody is held before anything else is written, or the hold is gone before it is a guard:\n%s", strings.Join(writes, "\n"))
	}
}

// makes is whether a write is one of those by which a waypoint is made that something moves to, whether by steps or at once.
func makes(which string) bool {
	return told(which) || widened(which) || strings.HasPrefix(which, "PATCH ") && !strings.HasPrefix(which, "PATCH /api/v1/namespaces/LIFE,")
}

// widened is whether a write may have been one of those that let another waypoint in, or one less, at a guard.
func widened(which string) bool {
	return strings.Contains(which, "waywarden-guard-") && !strings.HasSuffix(which, ", 1.")
}
