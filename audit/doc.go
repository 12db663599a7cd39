// Package audit evaluates what is stored, or what is about to be.
//
//	inventory ─► Snapshot ─► Evaluate ─► report.ScanResult
//	                          │
//	                          every object, on all processors, each with its own policies.View
//
// It knows no flags and no clock, so that the command line, the webhook and the continuous audit
// can share it.
package audit
