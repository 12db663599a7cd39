// Package mesh holds what decides in an Istio ambient mesh, and answers questions about it.
//
// A [Snapshot] is an immutable value: every object that can change what a policy does, in one
// decoded form whatever version it was served in.
//
//	objects ──Decode──► Object ──New, With, Without──► Snapshot
//	                                                     │
//	        enrolled? ── Snapshot.Workloads ─────────────┤
//	        which waypoint? ── Snapshot.Binding ─────────┤
//	        who is selected? ── Snapshot.Select ─────────┤
//	        which protocol? ── Snapshot.Ports ───────────┘
//
// What is not in the input is not guessed. A namespace whose Namespace object is in the input is
// whole: what is not in it does not exist. Without that object the namespace is not known, and an
// answer that depends on it says so and names what to add.
//
// The package does no I/O, reads no clock, starts no goroutine and logs nothing.
package mesh
