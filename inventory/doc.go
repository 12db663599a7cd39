// Package inventory is where objects come from: files, a cluster, or files completed from a cluster. All of them end
// as an [Inventory], of which a mesh.Snapshot is made. A cluster that is watched ends as [Live], which has the Snapshot of
// this moment.
//
//	paths  ─► manifest.Load ─► Files ─┐
//	                                  ├─► CompletedBy ─► Objects ─► mesh.New
//	kubeconfig ─► list, paged ─► List ┘
//	           └► Reflectors ─► Watch ─────────────────► Live ────► Snapshot, Subscription
//
// Nothing that cannot be read is passed over in silence: what a file holds and nobody could read is in Problems, what a
// cluster would not show is in Unread, and what decides nothing in a mesh is counted in Ignored.
package inventory
