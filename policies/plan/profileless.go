package plan

import (
	"fmt"
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A WaypointProfile that is deleted, or no longer well formed, leaves waypoints of which nobody knows any more how they are to be. They
// stay as they are, with all that is bound to them and stands beside it, which is looked after as before. What they would need a profile
// for is not done: none is made, and none changes.

// WithoutProfile says what a Guardrail does whose WaypointProfile is missing.
func WithoutProfile(name string) string {
	return "no waypoint is made by this Guardrail, whose modes, guards and exceptions count all the same: " + noneBy(Profile{Name: name})
}

// noneBy says why no waypoint is made by a profile that is missing.
func noneBy(p Profile) string {
	return fmt.Sprintf("WaypointProfile %s is not there, or not well formed. Make it, or have Guardrails name another one.", nameOf(p))
}

// asMade is a Gateway of ours as it is stored, without what is written down on it for a while.
func asMade(gw *mesh.Object) map[string]any {
	manifest := manifestOf(gw)
	annotations := manifest["metadata"].(map[string]any)["annotations"].(map[string]any)
	for _, key := range []string{UnneededSinceAnnotation, DrainingSinceAnnotation, GoOverAnnotation} {
		delete(annotations, key)
	}
	return manifest
}

// classFor is the class of a waypoint for a namespace: that of its profile, or of the waypoint as it is where that is missing.
func (m *maker) classFor(from, ns, name string) string {
	profile := m.settings.Of(from).Profile
	if gw := m.stored.Get(mesh.Gateway, ns, name); profile.Missing && m.managed.Made(gw) {
		return classOf(gw)
	}
	return profile.GatewayClassName
}

// sendsIngress is whether an object is to have the label for ingress gateways: as its profile says, or as it has it where that is missing.
func (m *maker) sendsIngress(on *mesh.Object) bool {
	profile := m.settings.Of(on.Home()).Profile
	return profile.Ingress || profile.Missing && slices.Contains(m.managed.Labelled(on), label.IoIstioIngressUseWaypoint.Name)
}

// keepAsMade makes no Gateway, and changes none but for what is written down on it for a while.
func (c *course) keepAsMade() outcome {
	if !c.ours() {
		return c.stop(MakeGateway, c.ref, nil, fmt.Sprintf("waypoint %s/%s is not made: %s", c.ref.Namespace, c.ref.Name, noneBy(c.planned.profile)))
	}
	_, idle := since(c.gateway, UnneededSinceAnnotation)
	manifest, over, why := c.planned.Manifest, c.goOver(), "it is needed again"
	switch {
	case idle:
	case over == c.gateway.Annotations[GoOverAnnotation]:
		return settled
	default:
		why = "what lets a move go on is not what is written down of it"
	}
	if over != "" {
		manifest = noted(manifest, GoOverAnnotation, over)
	}
	return c.ensure(Keep, manifest, why, c.planned.Needs)
}
