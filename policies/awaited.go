package policies

import (
	"fmt"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A Service for which Waywarden makes a waypoint has no label yet that says so: it gets it when the waypoint is ready, and not before, as
// its calls would go by nothing. To istiod it is bound to nothing, AncestorNotBound; what is said of it is Pending all the same.

// awaits is whether a Service or ServiceEntry that is bound to nothing is to be bound to a waypoint that is being made, and takes down
// that the attachment waits for it.
func (a *attachment) awaits(s *mesh.Snapshot, svc *mesh.Object) bool {
	gw, on := s.Awaited(svc)
	if gw == nil || s.AliasOf(svc) != nil || dynamicInside(svc) {
		return false
	}
	a.by = gw
	ref := gw.Ref()
	a.not(Pending, AncestorNotBound, fmt.Sprintf("%s is not bound to waypoint %s yet, which Waywarden makes for it%s", svc, gw.Key(), waitingFor(s, gw)),
		fmt.Sprintf("Waywarden labels %s as soon as the waypoint is ready; if that takes long, see to what it waits for.", on), Wait{Object: &ref})
	return true
}

// Awaits is whether an effect is Pending because the target is to be bound to a waypoint that is being made, and no label of it asks for
// that yet. Nobody has bound it, so nothing that is in force goes where that waypoint goes.
func (e Effect) Awaits() bool {
	return e.Verdict == Pending && (e.Reason == AncestorNotBound || e.Reason == NoWaypointForWildcardService)
}

// open is whether it is still to be judged what a waypoint would make of the policy: it applies it, or will when the target is bound.
func (a *attachment) open() bool {
	return a.applied() || a.verdict == Pending && a.reason == AncestorNotBound
}

// wanted is whether a waypoint that is not ready has anything to serve once it is.
func wanted(s *mesh.Snapshot, gw *mesh.Object) bool {
	return s.Awaits(gw) || len(s.AskingFor(gw)) > 0
}

// waitingFor is what a waypoint waits for, in brackets; "" where nothing says that.
func waitingFor(s *mesh.Snapshot, gw *mesh.Object) string {
	if why := s.Unready(gw); why != "" {
		return " (" + why + ")"
	}
	return ""
}
