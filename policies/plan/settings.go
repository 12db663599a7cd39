package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Mode is what Waywarden does about the waypoints that policies of a namespace need.
type Mode string

// The modes, the strictest first. Only Provision lets an order do anything: the others leave the cluster as it is.
const (
	Require   Mode = "Require"   // make none: what can never take effect is denied, what waits is reported
	Provision Mode = "Provision" // make them
	Observe   Mode = "Observe"   // report them, with their manifests; the zero value is Observe
)

// Opening is whether a path is left open, or closed by a policy at ztunnel.
type Opening string

// The openings. The zero value is Open.
const (
	Open  Opening = "Open"
	Guard Opening = "Guard"
)

// Granularity is how many waypoints there are.
type Granularity string

// The granularities. The zero value is PerNamespace.
const (
	PerNamespace Granularity = "Namespace" // one in each namespace that needs one
	PerService   Granularity = "Service"   // one for each Service that needs one
	Shared       Granularity = "Shared"    // one in SharedNamespace for all namespaces with the profile; another profile has another one
)

// Profile is what of a WaypointProfile decides in a plan. The zero value is a waypoint as istioctl makes it.
type Profile struct {
	Name string // of the WaypointProfile; written into the annotation of what is made
	// Missing is whether there is none of that name that is well formed, so that nothing but the name and RetainFor is known. Nothing is
	// made by it, and what was made stays as it was made.
	Missing bool
	Granularity
	GatewayClassName string // "" is istio-waypoint
	SharedNamespace  string // for Shared: where the waypoint is
	// Ingress is whether ingress gateways are to send through the waypoint as well.
	Ingress bool
	// RetainFor is how long a waypoint stays that nothing needs.
	RetainFor time.Duration
	// DrainFor is how long to wait for the connections of a waypoint that nothing is bound to; 0 is five minutes. Then
	// the order stops and says so.
	DrainFor time.Duration
	// QuietFor is how long nobody may have come round the waypoint before a guard is set, where that is measured; 0 is five
	// minutes.
	QuietFor time.Duration
	// Steps is StepsAnnotation of the profile, as it is written.
	Steps string
	// Parameters are the contents of the ConfigMap that the Gateway's parametersRef names, by istiod's keys
	// (mesh.ParameterKeys). Without any there is no ConfigMap and no parametersRef.
	Parameters map[string]string
	// Labels and Annotations are for what istiod makes of the Gateway (spec.infrastructure).
	Labels, Annotations map[string]string
}

// Setting is what is asked of one namespace.
type Setting struct {
	Mode    Mode
	Pending Opening // while a policy waits for its waypoint: whether the target is held closed
	Bypass  Opening // once the waypoint serves: whether only the waypoint gets to the pods
	Profile Profile
	// Exceptions are whom guards let in beside the waypoint.
	Exceptions []Exception

	shownFor Mode // the mode of a setting by which a plan is only shown; "" where it is carried out
}

// provides is whether what is planned is made, or shown as it would be.
func (s Setting) provides() bool { return cmp.Or(s.shownFor, s.Mode) == Provision }

// Exception is whom a guard lets in beside the waypoint, and why.
type Exception struct {
	Principals []string // whole, without spiffe://
	// Services, as "namespace/name", are those by which a way goes of which nobody can tell who takes it: whoever does is among the
	// principals, or may be shut out.
	Services []string
	Reason   string
}

// And is what holds where two Guardrails select a namespace: the stricter mode with its profile, and every guard that
// either demands, with the exceptions that each who demands one makes. Of two that are equally strict the profile of s counts, so combine Guardrails in the order of their names.
func (s Setting) And(o Setting) Setting {
	out := s
	if o.Mode.rank() < s.Mode.rank() {
		out = o
	}
	out.Exceptions = exceptedByBoth(s, o)
	if s.Pending == Guard || o.Pending == Guard {
		out.Pending = Guard
	}
	if s.Bypass == Guard || o.Bypass == Guard {
		out.Bypass = Guard
	}
	return out
}

// exceptedByBoth are the exceptions of the one that demands a guard; of two that do, what both except.
func exceptedByBoth(a, b Setting) []Exception {
	demands := func(s Setting) bool { return s.Pending == Guard || s.Bypass == Guard }
	switch {
	case !demands(b):
		return a.Exceptions
	case !demands(a):
		return b.Exceptions
	}
	var principals, services []string
	for _, e := range b.Exceptions {
		principals, services = append(principals, e.Principals...), append(services, e.Services...)
	}
	var out []Exception
	for _, e := range a.Exceptions {
		e.Principals, e.Services = common(e.Principals, principals), common(e.Services, services)
		if len(e.Principals) > 0 {
			out = append(out, e)
		}
	}
	return out
}

func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(v string) bool { return !slices.Contains(b, v) })
}

func (m Mode) rank() int {
	switch m {
	case Require:
		return 0
	case Provision:
		return 1
	}
	return 2
}

// Settings say what is asked of each namespace. The zero value asks for an answer and nothing else.
type Settings struct {
	Namespaces map[string]Setting // by name
	Default    Setting            // of namespaces that are not among them
}

// Provides is whether waypoints are made for any namespace.
func (s Settings) Provides() bool {
	for _, o := range s.Namespaces {
		if o.Mode == Provision {
			return true
		}
	}
	return s.Default.Mode == Provision
}

// Of is the setting of a namespace.
func (s Settings) Of(ns string) Setting {
	out, ok := s.Namespaces[ns]
	if !ok {
		out = s.Default
	}
	out.Mode = cmp.Or(out.Mode, Observe)
	out.Pending, out.Bypass = cmp.Or(out.Pending, Open), cmp.Or(out.Bypass, Open)
	out.Profile.Granularity = cmp.Or(out.Profile.Granularity, PerNamespace)
	out.Profile.GatewayClassName = cmp.Or(out.Profile.GatewayClassName, mesh.WaypointClassName)
	return out
}

// madeBy is the setting by which an object of ours in a namespace was made: that of the namespace, or, as of a waypoint that others
// share, of any that has the profile that the object names.
func (s Settings) madeBy(ns, profile string) Setting {
	own := s.Of(ns)
	if own.Mode == Provision && nameOf(own.Profile) == profile {
		return own
	}
	for _, other := range slices.Sorted(maps.Keys(s.Namespaces)) {
		if of := s.Of(other); of.Mode == Provision && nameOf(of.Profile) == profile {
			return of
		}
	}
	if of := (Settings{Default: s.Default}).Of(""); of.Mode == Provision && nameOf(of.Profile) == profile {
		return of
	}
	return own
}

// nameOf is the name of a profile as it is written on what is made by it.
func nameOf(p Profile) string { return cmp.Or(p.Name, "default") }

// limit is how long a waypoint is drained.
func (p Profile) limit() time.Duration { return cmp.Or(p.DrainFor, 5*time.Minute) }

// quiet is how long nobody may have come round a waypoint.
func (p Profile) quiet() time.Duration { return cmp.Or(p.QuietFor, 5*time.Minute) }
