// Package plan says which waypoints a mesh needs, for which policies, and what happens when it gets them. It is pure:
// a Snapshot in, a [Plan] out; nothing is written anywhere.
//
//	Needs    which policies a ready waypoint would make stronger: Effects as they are against
//	         Effects as they would be, never the kind or the look of a policy
//	Make     needs ─► targets ─► one waypoint a namespace, an existing one first ─► labels
//	Changes  everything else that is different once the plan is carried out
//
// A policy that only looks as if it needed a waypoint asks for none: one that is bound by a selector (a waypoint ignores
// it; re-target it first), a route of a consumer, a Telemetry of a whole namespace, a policy for sidecars or an ingress
// gateway. Otherwise one Telemetry in the root namespace would make a waypoint in every namespace.
package plan
