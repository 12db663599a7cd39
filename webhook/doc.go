// Package webhook is admission over HTTP: it judges an object before it is stored, on the mesh as it would be, and
// repairs it where that was asked for.
//
//	POST /validate ─► decode once ─► before.With(new) ─► findings ─► Rulebook.Judge ─► deny | warn | admit
//	POST /mutate   ─► the same ─► the first safe patch of each finding that may be repaired, as RFC 6902
//
// The Snapshot and the Rulebook are atomic loads, and nothing on the way does I/O, but for two questions to the API
// server before a denial: whether an object that it rests on is there by now, and whether the requester may break the
// glass.
//
// A request that cannot be answered, because there are too many, the mesh is not known yet, the program is wrong or it is no
// AdmissionReview, is answered with an HTTP error, so that the failurePolicy of the webhook decides and not an accident.
// What no API server would ask in a review that is well formed is denied.
package webhook
