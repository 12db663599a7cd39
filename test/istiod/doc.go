// Package istiod holds Waywarden to a real istiod: a seeded generator makes meshes and policies, a
// cluster (test/cluster) takes them, and test/oracle compares what both say once istiod has settled.
//
//	Generate(seed) ─► apply ─► settle ─► inventory.List + conditions + /debug/ambientz ─► compare ─┬─► known.go explains it
//	                    ▲                                                                  │       └─► minimise: the smallest mesh
//	                    └── Edit(seed, round): write, delete, make anew, two rounds ◄──────┘           that still disagrees
package istiod
