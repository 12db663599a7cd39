package plan

import (
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A Service can leave a waypoint that others go on using. It is not drained then, and nobody counts what is open through it to one
// Service, so a twin on which such connections rest outlasts the waypoint that came after: it is written down on it which ones its
// Service has left, and it stays for them.

// withLeft is our policy with the waypoints that its Service has left, and whose pods may have it in force.
func (c *course) withLeft(p Policy, manifest map[string]any) map[string]any {
	stored := find(c.snapshot, p.Ref())
	if p.Role != Twin || !c.Evidence.Managed.Made(stored) {
		return manifest
	}
	at, left := p.Waypoint.Namespace+"/"+p.Waypoint.Name, leftBy(stored)
	if was := stored.Annotations[WaypointAnnotation]; was != at {
		left = sorted(slices.DeleteFunc(append(left, was), func(key string) bool {
			ns, name, ok := cutKey(key)
			return key == at || !ok || c.snapshot.Get(mesh.Gateway, ns, name) == nil
		}))
	}
	if len(left) == 0 {
		return manifest
	}
	return noted(manifest, LeftAnnotation, strings.Join(left, ","))
}

func leftBy(twin *mesh.Object) []string {
	if twin.Annotations[LeftAnnotation] == "" {
		return nil
	}
	return strings.Split(twin.Annotations[LeftAnnotation], ",")
}

// leftInUse is a waypoint of ours that the Service of a twin has left, and that something needs.
func (c *course) leftInUse(twin *mesh.Object) (mesh.Ref, bool) {
	for _, key := range leftBy(twin) {
		ns, name, _ := cutKey(key)
		ref := RefOf(mesh.Gateway, ns, name)
		if other := c.courses[ref]; ref != c.ref && other != nil && other.ours() && other.planned != nil && !other.planned.Idle {
			return ref, true
		}
	}
	return mesh.Ref{}, false
}

// handedTo is a twin as one of another waypoint, with which it goes.
func handedTo(twin *mesh.Object, at mesh.Ref) map[string]any {
	key := at.Namespace + "/" + at.Name
	manifest := noted(manifestOf(twin), WaypointAnnotation, key)
	annotations := manifest["metadata"].(map[string]any)["annotations"].(map[string]any)
	for _, own := range []string{UnneededSinceAnnotation, DrainingSinceAnnotation, LeftAnnotation} {
		delete(annotations, own)
	}
	if rest := slices.DeleteFunc(leftBy(twin), func(k string) bool { return k == key }); len(rest) > 0 {
		annotations[LeftAnnotation] = strings.Join(rest, ",")
	}
	return manifest
}
