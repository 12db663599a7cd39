// Package istiod holds Waywarden to a real istiod: a seeded generator makes meshes and policies, a
// cluster (test/cluster) takes them, and test/oracle compares what both say once istiod has settled.
//
//	generate(seed) ─► apply ─► settle ─► inventory.List + conditions + /debug/ambientz ─► compare
//	                    ▲                                                                  │
//	                    └───────────────── edit and delete some, once ◄────────────────────┘
package istiod
