// Package watch holds inventory.Watch to a real API server: whatever happens to a cluster, what is watched is what
// inventory.List gives at that moment.
//
//	random events, seeded ─► API server ─┬─► inventory.Watch ─► Snapshot ─┐
//	                                     └─► inventory.List ──► Snapshot ─┴─► the same objects, the same answers
package watch
