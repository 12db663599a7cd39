package oracle

import (
	"fmt"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Recording is one mesh with what istiod said of it.
type Recording struct {
	Snapshot *mesh.Snapshot
	// Conditions are by "Kind namespace/name"; none that is about an older generation of the object.
	Conditions map[string][]Condition
	// Parents are what istiod says of the parents of a route, by "Kind namespace/name".
	Parents map[string][]Parent
	// Listeners are what istiod says of the listeners of a Gateway, by "Gateway namespace/name".
	Listeners map[string][]Listener
	// Addresses are those that istiod chose for a ServiceEntry, by "ServiceEntry namespace/name".
	Addresses map[string][]string
	Ambient   Ambient
	// Proxies are what istiod sends to waypoints.
	Proxies []Proxy
}

// Condition is one of status.conditions.
type Condition struct {
	Type, Status, Reason, Message string
	// Since is when it was last written, to the second.
	Since time.Time `json:"lastTransitionTime"`
}

// Listener is one of a Gateway's status.listeners.
type Listener struct {
	Name           string
	AttachedRoutes int
	Conditions     []Condition
}

// Parent is one of a route's status.parents.
type Parent struct {
	Ref        mesh.ParentRef
	Conditions []Condition
}

// Difference is something of which Waywarden and istiod say different things.
type Difference struct {
	About        string // what is compared, as in "WaypointAccepted"
	Object       *mesh.Object
	Ours, Istiod string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: %s: we say %s, istiod %s", d.Object, d.About, d.Ours, d.Istiod)
}

// Result is what came of a comparison.
type Result struct {
	Compared    int
	Differences []Difference
}

func (r *Result) compare(about string, o *mesh.Object, ours, istiod string) {
	r.Compared++
	if ours != istiod {
		r.Differences = append(r.Differences, Difference{about, o, ours, istiod})
	}
}

// key is how an object is named in Conditions and Parents.
func key(o *mesh.Object) string { return o.Ref().Kind + " " + o.Key() }

// condition is what istiod wrote on an object, in short; "nothing" where it wrote nothing of the type.
func (r Recording) condition(o *mesh.Object, kind string) string {
	return short(r.Conditions[key(o)], kind)
}

// Condition is what istiod wrote on an object; false where it wrote nothing of the type.
func (r Recording) Condition(o *mesh.Object, kind string) (Condition, bool) {
	for _, c := range r.Conditions[key(o)] {
		if c.Type == kind {
			return c, true
		}
	}
	return Condition{}, false
}

// Nothing stands for a condition that istiod does not write, and a policy that it does not send.
const Nothing = "nothing"

func short(conditions []Condition, kind string) string {
	for _, c := range conditions {
		if c.Type == kind {
			return c.Status + " " + c.Reason
		}
	}
	return Nothing
}

// Bindings compares whether every Service, ServiceEntry and WorkloadEntry is bound to a waypoint, and
// why not, with the condition istio.io/WaypointBound.
func (r Recording) Bindings() Result {
	var out Result
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry, mesh.WorkloadEntry} {
		for o := range r.Snapshot.All(kind) {
			out.compare(WaypointBound, o, bound(r.Snapshot.Binding(o)), r.condition(o, WaypointBound))
		}
	}
	return out
}

// WaypointBound is the condition that says which waypoint an object has.
const WaypointBound = "istio.io/WaypointBound"

func bound(b mesh.Binding) string {
	switch {
	case b.Bound:
		return "True " + b.Reason
	case b.Reason != "":
		return "False " + b.Reason
	}
	return Nothing
}
