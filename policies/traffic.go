package policies

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"istio.io/api/label"

	"github.com/waywarden/waywarden/policies/mesh"
)

// What VirtualServices, DestinationRules, routes and their like have in common: a sidecar carries
// them out where a call begins. ztunnel carries out none of them; for calls of ambient pods the
// waypoint of the called Service does, where the call ends. So each host has up to three effects:
// by the sidecars of callers, by the waypoint (or nobody), and by gateways.

// The reasons of traffic management. Istio's own words where it has one.
const (
	NoMatchingParent           = "NoMatchingParent"
	NotAllowedByListeners      = "NotAllowedByListeners"
	NoMatchingListenerHostname = "NoMatchingListenerHostname"
	RefNotPermitted            = "RefNotPermitted"
	BackendNotFound            = "BackendNotFound"
	InvalidKind                = "InvalidKind"
	IgnoredByIstio             = "IgnoredByIstio"

	NoWaypointForWildcardService       = "NoWaypointForWildcardService"
	NoWaypointForRacingConnectStrategy = "NoWaypointForRacingConnectStrategy"

	OtherNamespace   = "OtherNamespace"   // a namespace of which the waypoint takes nothing for the Service
	NotExported      = "NotExported"      // exportTo leaves the waypoint's namespace out
	SourceLabels     = "SourceLabels"     // a waypoint drops matches on the caller's labels
	SourceNamespace  = "SourceNamespace"  // a waypoint compares its own namespace, not the caller's
	SNINeverMatches  = "SNI"              // a waypoint only knows the Service's own host
	WaypointParent   = "WaypointParent"   // a route's parent is a waypoint's Gateway
	Shadowed         = "Shadowed"         // another object of the same host wins
	SelectorIgnored  = "WorkloadSelector" // a waypoint never matches a workloadSelector
	HashIgnored      = "HashIgnored"      // consistentHash without anything to hash
	TLSModeIgnored   = "TLSModeIgnored"   // HBONE is always mTLS
	ExportToIgnored  = "ExportToIgnored"  // ztunnel does not read exportTo
	SidecarOnly      = "SidecarOnly"      // only sidecars read the kind
	FeatureDisabled  = "FeatureDisabled"  // istiod has the feature switched off
	NotVisible       = "NotVisible"       // meshConfig.serviceEntryVisibility drops it
	LocationInternal = "LocationInternal" // DYNAMIC_DNS of a host inside the mesh
	NoRoute          = "NoRoute"          // no route leads there
)

// audience is who calls a host, as far as a policy can reach them.
type audience struct {
	ambient bool
	sidecar bool
	missing string // what to add to the input before it can be said who calls
}

// audienceOf says whose calls to a Service (nil where the host resolves to none) a policy is about.
//
// Everybody can call everything, so in a mesh with a single ambient pod every policy of sidecars has
// callers whom it does not reach. That is not worth a word. Ambient callers count where the policy's
// own namespace or the Service's has ambient pods, where the Service asks for a waypoint, or where
// nobody in the mesh is known to have a sidecar, so that ambient pods are the only callers there are.
func audienceOf(s *mesh.Snapshot, o, svc *mesh.Object, exportTo []string) audience {
	c := s.Clients()
	a := audience{ambient: c.Ambient[o.Namespace]}
	for ns := range c.Sidecar {
		if visible(exportTo, o.Namespace, ns) {
			a.sidecar = true
			break
		}
	}
	a.ambient = a.ambient || len(c.Ambient) > 0 && len(c.Sidecar)+len(c.Unknown) == 0
	if svc != nil {
		a.ambient = a.ambient || c.Ambient[svc.Namespace] || len(c.Ambient) > 0 && s.Binding(svc).Opt == mesh.Asks
		if !s.Known(svc.Namespace) {
			a.missing = "Namespace " + svc.Namespace
		}
	}
	switch {
	case a.missing != "":
	case !s.Known(o.Namespace):
		a.missing = "Namespace " + o.Namespace
	case len(c.Unknown) > 0:
		a.missing = "Namespace " + slices.Min(slices.Collect(maps.Keys(c.Unknown)))
	}
	return a
}

// visible is whether exportTo of an object in namespace own reaches namespace ns.
func visible(exportTo []string, own, ns string) bool {
	if len(exportTo) == 0 {
		return true
	}
	return slices.ContainsFunc(exportTo, func(e string) bool {
		return e == "*" || e == ns || e == "." && own == ns
	})
}

func hostTarget(host string) Target { return Target{Kind: "Host", Name: host} }

func objectTarget(o *mesh.Object) Target {
	return Target{Kind: o.Kind.String(), Namespace: o.Namespace, Name: o.Name}
}

// waypointFor is the waypoint that takes the calls to a Service or ServiceEntry, or why none does.
// Whether an agentgateway carries the policy out is for the caller to say.
func waypointFor(s *mesh.Snapshot, svc *mesh.Object, field string) *attachment {
	a := &attachment{field: field, target: objectTarget(svc)}
	b := s.Binding(svc)
	switch {
	case mesh.ExternalName(svc):
		return a.not(NotEnforced, ExternalNameService, fmt.Sprintf("%s is of type ExternalName, which ambient mode does not know", svc),
			"Describe the host with a ServiceEntry, bind that to a waypoint, and name it instead.")
	case mesh.Headless(svc):
		return a.not(NotEnforced, HeadlessService, fmt.Sprintf("%s is headless, so its clients connect to pods and never pass a waypoint's chain for it", svc),
			"Add a Service with a cluster IP over the same pods and name that.")
	case !b.Bound:
		a.unbound(s, svc, b)
		return a
	}
	a.by = b.Gateway
	class := s.ClassOf(b.Gateway)
	if class != mesh.ClassAgentgateway || s.Sandwiched(b.Gateway) {
		a.proxy(s, b.Gateway)
	}
	switch {
	case !a.applied():
	case class == mesh.ClassGateway:
		a.not(NotEnforced, ForeignGateway, fmt.Sprintf("%s is bound to %s, which is an ingress gateway and no waypoint", svc, b.Gateway), "Bind it to a waypoint.")
	case s.AliasOf(svc) != nil:
		a.not(NotEnforced, Shadowed, fmt.Sprintf("%s of type ExternalName has the host of %s, so that the waypoint takes no calls to it", s.AliasOf(svc), svc), aliasRemedy)
	case dynamicInside(svc):
		a.not(NotEnforced, LocationInternal, fmt.Sprintf("%s is DYNAMIC_DNS inside the mesh, which waypoints leave out", svc), "Set location: MESH_EXTERNAL.")
	}
	return a
}

// refuseAgentgateway says that an agentgateway does not carry out Istio's own kinds.
func (a *attachment) refuseAgentgateway(s *mesh.Snapshot) {
	if a.applied() && a.by != nil && s.ClassOf(a.by) == mesh.ClassAgentgateway {
		a.not(NotEnforced, Agentgateway, fmt.Sprintf("waypoint %s runs agentgateway, which does not apply Istio's own kinds", a.by.Key()),
			"Use the Gateway API instead, or a waypoint of class "+mesh.WaypointClassName+".")
	}
}

// refuseNamespace says that a waypoint only reads the object from two namespaces.
func (a *attachment) refuseNamespace(o, svc *mesh.Object, more ...string) {
	if !a.open() || o.Namespace == svc.Namespace || o.Namespace == a.by.Namespace || slices.Contains(more, o.Namespace) {
		return
	}
	from := "Namespace " + svc.Namespace
	if a.by.Namespace != svc.Namespace {
		from += " or " + a.by.Namespace
	}
	if len(more) > 0 && more[0] != svc.Namespace && more[0] != a.by.Namespace {
		from += " or " + more[0]
	}
	a.not(NotEnforced, OtherNamespace, fmt.Sprintf("waypoint %s takes nothing for %s from Namespace %s, and there is no way in ambient mode to say something for one namespace's calls only", a.by.Key(), svc, o.Namespace),
		fmt.Sprintf("Move it to %s; it then holds for all callers.", from))
}

// refuseExport says that the waypoint does not see the object.
func (a *attachment) refuseExport(o *mesh.Object, own, exportTo []string) {
	if !a.open() || visible(exportTo, o.Namespace, a.by.Namespace) {
		return
	}
	what, remedy := "spec.exportTo", fmt.Sprintf("Add %q to spec.exportTo.", a.by.Namespace)
	if len(own) == 0 {
		what, remedy = "the mesh configuration's default for spec.exportTo", fmt.Sprintf("Set spec.exportTo to [\".\", %q].", a.by.Namespace)
	}
	a.not(NotEnforced, NotExported, fmt.Sprintf("%s leaves out Namespace %s, where waypoint %s runs", what, a.by.Namespace, a.by.Key()), remedy)
	a.field = "spec.exportTo"
}

// bySidecars is the effect on the calls of pods with sidecars.
func bySidecars(t Target) Effect {
	return Effect{Target: t, EnforcedBy: Sidecar, Verdict: Enforced, Reason: Accepted, Message: "the sidecars of the calling pods apply it."}
}

// byWaypoint is the effect of a policy that a waypoint applies as written.
func byWaypoint(a *attachment, what string) Effect {
	e := a.effect("this " + what)
	if a.applied() {
		e.Message = fmt.Sprintf("waypoint %s applies it to all calls that it takes.", a.by.Key())
	}
	return e
}

// uncalled is the effect where nobody is known to call: nothing in the input is in the mesh, or the
// input does not show it.
func uncalled(t Target, what, field string, a audience) Effect {
	if a.missing != "" {
		e := nobody(t, Unknown, NotInInput, field, fmt.Sprintf(
			"it cannot be judged: %s is not in the input, so nobody can tell who applies it. Add it, or use --live or --assume-ambient.", a.missing))
		e.WaitsFor = waitFor(a.missing)
		return e
	}
	return nobody(t, NotEnforced, NotEnrolled, field, fmt.Sprintf(
		"this %s has no effect: no pod that it is about is in the mesh. Enrol the calling Namespaces (label %s=ambient).", what, label.IoIstioDataplaneMode.Name))
}

// maxTargets bounds how many effects one wildcard host has. Beyond, they are told as one target.
const maxTargets = 24

// fold tells the effects of a wildcard host as effects of the host itself where there are many: the
// worst of each enforcer.
func fold(host string, effects []Effect) []Effect {
	if !strings.HasPrefix(host, "*") || len(effects) <= maxTargets {
		return effects
	}
	var out []Effect
	for _, e := range sortEffects(effects) {
		i := slices.IndexFunc(out, func(x Effect) bool { return x.EnforcedBy == e.EnforcedBy })
		switch {
		case i < 0:
			e.Target = hostTarget(host)
			out = append(out, e)
		case e.Verdict.Worse(out[i].Verdict):
			e.Target = hostTarget(host)
			out[i] = e
		}
	}
	return out
}

// join keeps one effect for each target and enforcer, the worst, of hosts that resolve to the same.
func join(effects []Effect) []Effect {
	var out []Effect
	for _, e := range sortEffects(effects) {
		if n := len(out) - 1; n >= 0 && out[n].Target.compare(e.Target) == 0 && out[n].EnforcedBy == e.EnforcedBy {
			if e.Verdict.Worse(out[n].Verdict) {
				out[n] = e
			}
			continue
		}
		out = append(out, e)
	}
	return out
}
