// Package policies says what Istio policies really do.
//
//	mesh.Snapshot ─► Effects(object)      who enforces it, with which verdict, and why
//	                     │
//	                     ▼
//	                 Check.Run(pass) ─► Finding{message, remedy, Fix{patch, apply}}
//
// An [Effect] is a fact about one policy and one of its targets. A [Check] is one question asked of
// one object; its [Finding]s carry their cure. Both are pure functions of a Snapshot, so that
// a pull request, the admission webhook and the audit all give the same answer.
//
// The verdict is what happens to calls, not what istiod's status condition says.
package policies
