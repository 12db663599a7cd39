package plan

import (
	"slices"

	"github.com/waywarden/waywarden/policies/mesh"
)

// An object is ours if it has the label ManagedByLabel, the annotation ProfileAnnotation, and our field manager wrote it.
// A label on an object of somebody else's is ours if our field manager wrote it and the object has the annotation. All
// three, because the first two are text that anybody copies, and the third remains on what somebody else has taken over.
const (
	// ManagedByLabel and ManagedBy are the label of all that is made.
	ManagedByLabel = mesh.ManagedByLabel
	ManagedBy      = mesh.ManagedBy

	// ProfileAnnotation names the WaypointProfile by which an object was made, or a label set.
	ProfileAnnotation = mesh.ProfileAnnotation
	// RoleAnnotation is what a policy of ours is for: a Role.
	RoleAnnotation = "waywarden.dev/role"
	// WaypointAnnotation is the waypoint, as "namespace/name", that a ConfigMap or policy of ours is for.
	WaypointAnnotation = "waywarden.dev/waypoint"
	// OfAnnotation is the policy, as "namespace/name", that a twin repeats, or beside which an admission stands.
	OfAnnotation = "waywarden.dev/of"
	// ForAnnotation is the Service, as "namespace/name", that a policy of ours is for.
	ForAnnotation = "waywarden.dev/for"
	// LeftAnnotation, beside labels of ours or where they have been, are the waypoints of ours, as "namespace/name" and separated by
	// commas, that the object has left: connections through them may be open as long as they are there.
	LeftAnnotation = "waywarden.dev/left"
	// HeldAnnotation, on a guard of ours, is why it closes a Service that waits for its waypoint.
	HeldAnnotation = "waywarden.dev/held"
	// UnneededSinceAnnotation, on a Gateway of ours, is since when nothing needs it, and DrainingSinceAnnotation since when
	// nothing is bound to it; RFC 3339. They are on the object so that a restart does not start the time again. Where the Gateway is
	// somebody else's the first is beside each label of ours for it, and the second on a policy of ours.
	UnneededSinceAnnotation = "waywarden.dev/unneeded-since"
	DrainingSinceAnnotation = "waywarden.dev/draining-since"

	// KeepAnnotation, on a Service, ServiceEntry, Namespace or Gateway, keeps a waypoint for it: its value is the reason.
	KeepAnnotation = "waywarden.dev/keep"
	// MigrateAnnotation, on a Gateway, names another one of its namespace that is to take its place: what is bound to it by labels of
	// ours moves there. The other one is made if it is not there. Without the annotation everything goes back.
	MigrateAnnotation = "waywarden.dev/migrate-to"
	// PlaceAnnotation, on a Gateway of ours, are the names of those whose place it has taken, separated by commas.
	PlaceAnnotation = "waywarden.dev/in-place-of"

	// StepsAnnotation, on a Gateway that is to be left or on a WaypointProfile, has a move go by steps, as in "5/10m,50,100/1h": for
	// each which percentage of connections takes the new waypoint (Istio's canary), and how long that is held. One without a time
	// is held until GoAnnotation, on the Gateway that is left, names its percentage or a higher one.
	StepsAnnotation = "waywarden.dev/migrate-steps"
	GoAnnotation    = "waywarden.dev/migrate-go"
	// GoOverAnnotation, on a Gateway of ours, is what GoAnnotation says there since before anything moved away, as of a move that was taken
	// back: that lets no other move go on.
	GoOverAnnotation = "waywarden.dev/migrate-go-over"
	// CanarySinceAnnotation, beside labels of ours for a canary, is since when it has its weight; RFC 3339.
	CanarySinceAnnotation = "waywarden.dev/canary-since"

	// HoldAnnotation, on a Service, agrees that it is closed while it waits for its waypoint: its value is the reason.
	HoldAnnotation = "waywarden.dev/hold"
)

// Role is what an AuthorizationPolicy of ours is for.
type Role string

// The roles.
const (
	// Twin repeats at the waypoint what a policy says of clients at ztunnel, which behind the waypoint sees only that.
	Twin Role = "twin"
	// Admission lets the waypoint in at ztunnel, beside an ALLOW that would keep it out.
	Admission Role = "admission"
	// Copy says at a waypoint what a policy says that names another one, whose place this one has taken.
	Copy Role = "copy"
	// Guarding lets in at ztunnel nobody but the waypoints.
	Guarding Role = "guard"
)

// Managed are the objects of which our field manager owns fields (metadata.managedFields), by [RefOf], each with the keys of
// the labels among those fields; without any where it owns others only. Nil, as for files, means that nothing is ours.
type Managed map[mesh.Ref][]string

// RefOf names an object in the maps of this package: whatever version it was read in, by the preferred one.
func RefOf(kind mesh.Kind, ns, name string) mesh.Ref {
	return mesh.Ref{APIVersion: kind.APIVersion(), Kind: kind.String(), Namespace: ns, Name: name}
}

// canonical is the name of an object by the preferred version.
func canonical(ref mesh.Ref) mesh.Ref {
	if kind, ok := mesh.KindOf(ref.APIVersion, ref.Kind); ok {
		return RefOf(kind, ref.Namespace, ref.Name)
	}
	return ref
}

func refOf(o *mesh.Object) mesh.Ref { return RefOf(o.Kind, o.Namespace, o.Name) }

// Made is whether an object is ours. A look-alike is not, and is never touched.
func (m Managed) Made(o *mesh.Object) bool {
	if o == nil || o.Labels[ManagedByLabel] != ManagedBy || o.Annotations[ProfileAnnotation] == "" {
		return false
	}
	_, wrote := m[refOf(o)]
	return wrote
}

// Labelled are the waypoint labels of an object of somebody else's that are ours.
func (m Managed) Labelled(o *mesh.Object) []string {
	if o == nil || o.Annotations[ProfileAnnotation] == "" {
		return nil
	}
	var out []string
	for _, key := range m[refOf(o)] {
		if _, is := o.Labels[key]; is && slices.Contains(waypointLabels, key) {
			out = append(out, key)
		}
	}
	return out
}
