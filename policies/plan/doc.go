// Package plan says which waypoints a mesh needs, for which policies, what has to stand beside them, what happens when they
// are there, and in which order to write all that. It is pure: nothing is written, read or remembered anywhere.
//
//	Make     a mesh, settings ─► needs ─► targets ─► waypoints, an existing one first ─► labels, and what
//	         they must not change: policies on clients are repeated, what nobody can explain stops the plan
//	Needs    which policies a ready waypoint would make stronger: Effects as they are against
//	         Effects as they would be, never the kind or the look of a policy
//	Next     the mesh as it is stored, the plan, what is known of proxies ─► for each waypoint one step, or
//	         what it waits for, or who has to decide what
//
// Make looks at the mesh as it would be without anything of ours, and Next at what of its answer is stored. So both may be
// asked by anybody at any time, and a controller that is killed between any two writes is carried on by the next one.
//
// A policy that only looks as if it needed a waypoint asks for none: one that is bound by a selector (a waypoint ignores
// it; re-target it first), a route of a consumer, a Telemetry of a whole namespace, a policy for sidecars or an ingress
// gateway. Otherwise one Telemetry in the root namespace would make a waypoint in every namespace.
package plan
