package plan

import (
	"slices"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Plan is what to make, in the order in which to make it, and what follows. The zero value is nothing to do.
type Plan struct {
	// Waypoints come first: nothing refers to a new one yet, but for what asks for it already. They are sorted by namespace and name.
	Waypoints []Waypoint `json:"waypoints"`
	// Policies come next: those of our own, inert until something is bound; those that are Asked, before the waypoints. They are
	// sorted by role, namespace and name; guards are last, and are for after the labels.
	Policies []Policy `json:"policies"`
	// Labels come last, each when its waypoint is Programmed. They are sorted by what they are on.
	Labels []Label `json:"labels"`
	// Changes are all effects that are different once the plan is carried out, the needs among them.
	Changes []Change `json:"changes"`
	// Notices are what else callers will notice, that no effect tells.
	Notices []Notice `json:"notices"`
	// Blocked are needs that the plan does not meet.
	Blocked []Blocked `json:"blocked"`
}

// Waypoint is a waypoint that is needed.
type Waypoint struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// For is what it has to serve: service, workload or all.
	For string `json:"for"`
	// Existing is whether it is stored already and somebody else's, so that it stays as it is; Ready, whether it has an
	// address.
	Existing bool `json:"existing"`
	Ready    bool `json:"ready"`
	// Idle is whether nothing needs it any more, and labels of ours still bind to it: until they are gone, what stands beside
	// them has to be right.
	Idle  bool   `json:"idle,omitempty"`
	Needs []Need `json:"needs"`
	// Asked are the Services and ServiceEntries that labels of somebody else's bind to it as soon as it is ready.
	Asked []mesh.Ref `json:"-"`
	// Manifest is the Gateway to make, and Parameters the ConfigMap that it refers to; nil for an existing one, and where
	// the profile has no parameters.
	Manifest   map[string]any `json:"manifest"`
	Parameters map[string]any `json:"parameters,omitempty"`

	from    []string // namespaces of what asks for it
	class   string   // of a stored one of ours; "" for that of its profile
	places  []string // names of those whose place it has taken
	stays   string   // why nobody else takes its place, though somebody asks for that
	profile Profile
	mode    Mode
	decoded *mesh.Object // Manifest, once it was asked for
}

// Ref names the Gateway.
func (w Waypoint) Ref() mesh.Ref { return RefOf(mesh.Gateway, w.Namespace, w.Name) }

// Made is whether Waywarden makes it, and binds to it, itself.
func (w Waypoint) Made() bool { return w.mode == Provision }

// Profile is the name of the profile by which it is made.
func (w Waypoint) Profile() string { return w.profile.Name }

// Label is a label to set.
type Label struct {
	On    mesh.Ref `json:"on"`
	Key   string   `json:"key"`
	Value string   `json:"value"`
	// WaypointNamespace is the value of istio.io/use-waypoint-namespace, set in the same patch; "" where the waypoint is in
	// the namespace of the object, and no label of somebody else's names another.
	WaypointNamespace string `json:"waypointNamespace,omitempty"`
	// Ingress is whether ingress gateways are told to send through the waypoint, by a patch of its own once the object is
	// bound.
	Ingress bool `json:"ingress,omitempty"`
	// Binds are the Services and ServiceEntries that pass the waypoint from then on.
	Binds []mesh.Ref `json:"binds"`
	Needs []Need     `json:"needs"`
	// Kept is whether the label is ours, stored, and no longer needed by itself: it stays until nothing needs its waypoint.
	Kept bool `json:"kept,omitempty"`
	// Why says why it is on the object and not on its Namespace; "" for a Namespace.
	Why string `json:"why"`
}

// Waypoint names the Gateway that the label asks for.
func (l Label) Waypoint() mesh.Ref {
	ns := l.WaypointNamespace
	if ns == "" {
		ns = home(l.On)
	}
	return RefOf(mesh.Gateway, ns, l.Value)
}

// asksFor is whether a Service is the target of a need for which the label is set, by itself or with all that passes the Gateway.
func (l Label) asksFor(svc *mesh.Object) bool {
	return slices.ContainsFunc(l.Needs, func(n Need) bool { return same(n.Target, targetOf(svc)) || n.Target.Kind == mesh.Gateway.String() })
}

// labels are all labels of the object once it is bound.
func (l Label) labels() map[string]string {
	out := map[string]string{l.Key: l.Value}
	if l.WaypointNamespace != "" {
		out[label.IoIstioUseWaypointNamespace.Name] = l.WaypointNamespace
	}
	return out
}

// Policy is an AuthorizationPolicy of our own, or a copy of a policy of another kind.
type Policy struct {
	Role     Role       `json:"role"`
	Waypoint mesh.Ref   `json:"waypoint"`
	Of       []mesh.Ref `json:"of"`  // the policies that a twin repeats, or beside which an admission stands
	For      []mesh.Ref `json:"for"` // the Services
	// Asked is whether its Service asks for the waypoint already, so that it is bound as soon as that serves: then the policy comes before
	// the waypoint, and is not inert after that.
	Asked bool `json:"asked,omitempty"`
	// Temporary is whether a guard goes when every ztunnel knows that its Service is bound.
	Temporary bool `json:"temporary,omitempty"`
	// Held is why a guard was set before its Service is bound, so that nobody gets in until then; "" where it was not.
	Held string `json:"held,omitempty"`
	// Excepted are whom a guard lets in that are no waypoints.
	Excepted []string       `json:"excepted,omitempty"`
	Manifest map[string]any `json:"manifest"`
	Why      string         `json:"why"`

	// Admits are whom a guard lets in, waypoints and exceptions.
	Admits []string `json:"-"`

	decoded *mesh.Object // Manifest, once it was asked for
}

// Ref names the policy.
func (p Policy) Ref() mesh.Ref {
	return refIn(p.Manifest)
}

// object is the policy as an object, decoded once.
func (p *Policy) object() *mesh.Object {
	if p.decoded == nil {
		p.decoded = decode(p.Manifest)
	}
	return p.decoded
}

// Nothing is whether there is nothing to apply: no label to set, no waypoint to make, and no policy to stand beside one that somebody
// labelled for already.
func (p *Plan) Nothing() bool {
	return len(p.Policies) == 0 && !slices.ContainsFunc(p.Labels, func(l Label) bool { return !l.Kept }) &&
		!slices.ContainsFunc(p.Waypoints, func(w Waypoint) bool { return !w.Existing && !w.Idle })
}

func home(r mesh.Ref) string {
	if r.Namespace == "" {
		return r.Name
	}
	return r.Namespace
}

// Apply is the mesh once the plan is carried out and its waypoints are ready.
func (p *Plan) Apply(s *mesh.Snapshot) *mesh.Snapshot {
	return p.beside(p.bound(s))
}

// beside is a mesh with the policies of the plan.
func (p *Plan) beside(s *mesh.Snapshot) *mesh.Snapshot {
	with := make([]*mesh.Object, len(p.Policies))
	for i := range p.Policies {
		with[i] = p.Policies[i].object()
	}
	return s.Edited(with, nil)
}

// bound is the mesh with the waypoints and labels of the plan, and without its policies.
func (p *Plan) bound(s *mesh.Snapshot) *mesh.Snapshot {
	var with []*mesh.Object
	for i := range p.Waypoints {
		w := &p.Waypoints[i]
		switch {
		case w.Existing:
			with = append(with, readyGateway(s, w.Namespace, w.Name, w.For, w.Namespace))
		case w.decoded == nil:
			w.decoded = decode(w.Manifest)
			fallthrough
		default:
			with = append(with, w.decoded)
		}
	}
	latest := map[mesh.Ref]int{} // where in with an object is already
	for _, l := range p.Labels {
		if o := find(s, l.On); o != nil {
			if i, ok := latest[l.On]; ok {
				o = with[i]
			}
			latest[l.On] = len(with)
			labels := l.labels()
			if l.Ingress {
				labels[label.IoIstioIngressUseWaypoint.Name] = "true"
			}
			with = append(with, labelled(o, labels))
		}
	}
	return s.Edited(with, nil)
}

// newlyBound are the Services and ServiceEntries that a label binds.
func newlyBound(before, after *mesh.Snapshot, l Label) []mesh.Ref {
	out := []mesh.Ref{}
	ref := l.Waypoint()
	gw := after.Get(mesh.Gateway, ref.Namespace, ref.Name)
	if gw == nil {
		return out
	}
	for _, o := range after.BoundTo(gw) {
		was := before.Get(o.Kind, o.Namespace, o.Name)
		own := l.On.Kind == o.Kind.String() && l.On.Namespace == o.Namespace && l.On.Name == o.Name
		if before.Binding(was).Bound || !own && (l.On.Kind != mesh.Namespace.String() || l.On.Name != o.Namespace || after.Binding(o).By != mesh.Namespace.String()) {
			continue
		}
		out = append(out, o.Ref())
	}
	return out
}
