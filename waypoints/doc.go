// Package waypoints carries a plan out: it makes the waypoints that policies need, one gap-free step at a time, and takes
// away what nothing needs any more. What to do next is for policies/plan to say, from what is stored and from evidence;
// here the evidence is gathered and the step written.
//
//	inventory.Live ───► Snapshot, marks ─┐
//	Guardrails, WaypointProfiles ────────┤                    one write for each waypoint,
//	Deployments, Pods of gateways ───────┼─► plan.Next ─► Progress ─► server-side apply, never forced
//	istiod's /debug/syncz ───────────────┤                    └────► status, Events, metrics
//	what proxies count, as read last ────┤
//	what was refused, and when ──────────┘
//
// Nothing is remembered that decides anything: whoever leads next goes on from what is stored. What is remembered, such
// as which write was refused, only keeps it from being tried again too soon.
//
// One replica runs it, the leader. While nothing changes it asks the API server for nothing.
package waypoints
