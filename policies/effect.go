package policies

import (
	"cmp"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// EnforcedBy is what carries a policy out.
type EnforcedBy string

// What can carry a policy out. Nobody exactly when the verdict is NotEnforced, Pending or Unknown.
const (
	Ztunnel  EnforcedBy = "ztunnel"
	Waypoint EnforcedBy = "waypoint"
	Gateway  EnforcedBy = "gateway"
	Sidecar  EnforcedBy = "sidecar"
	Nobody   EnforcedBy = "none"
)

// Verdict is what happens to calls.
type Verdict string

// The verdicts.
const (
	Enforced          Verdict = "Enforced"          // does what it says
	PartiallyEnforced Verdict = "PartiallyEnforced" // part of it takes effect, or it admits more than it says; fails open
	NotEnforced       Verdict = "NotEnforced"       // has no effect at all; fails open
	DeniesAll         Verdict = "DeniesAll"         // an ALLOW of which no rule can match: it admits nobody; fails closed
	OverDenies        Verdict = "OverDenies"        // denies more than it says; fails closed
	Pending           Verdict = "Pending"           // waits for a waypoint that is not ready yet; fails open
	Bypassable        Verdict = "Bypassable"        // enforced at a waypoint, and the mesh shows a path round it; fails open
	Unknown           Verdict = "Unknown"           // the input does not show what it takes to judge
)

// The reasons of effects. Istio's own words where it has one for the same thing.
const (
	Accepted         = "Accepted"
	UnsupportedValue = "UnsupportedValue" // ztunnel does not support an attribute or the action
	AncestorNotBound = "AncestorNotBound" // the target is bound to no waypoint
	TargetNotFound   = "TargetNotFound"
	Invalid          = "Invalid"

	EmptySelector       = "EmptySelector"          // selector: {} attaches to nothing
	NotEnrolled         = "NotEnrolled"            // the workloads are not captured
	NoWorkloads         = "NoWorkloads"            // the selector selects nothing
	GatewayNeedsTarget  = "GatewayNeedsTargetRefs" // the gateways in its scope take no policy without targetRefs
	WaypointPods        = "WaypointPods"           // only waypoint pods are selected
	WaypointIdentity    = "WaypointIdentity"       // ztunnel sees the waypoint, not the client
	PortNeverMatches    = "PortNeverMatches"       // a port, or destination IP, that cannot occur there
	TrustDomainNever    = "TrustDomain"            // a principal of another name of the trust domain
	SchemeNeverMatches  = "PrincipalScheme"        // a principal with spiffe://, which Envoy is sent a second time
	TrustDomainsDropped = "TrustDomainsDropped"    // ztunnel ignores trustDomains
	ServesNothing       = "ServesNothing"          // nothing is bound to the waypoint
	ClassNotMatched     = "ClassNotMatched"        // only GatewayClass istio-waypoint is ever matched
	GroupNotMatched     = "GroupNotMatched"        // the targetRef's group is not its kind's
	NamespaceNotMatched = "NamespaceNotMatched"    // the targetRef names another namespace
	ProviderConflict    = "ProviderConflict"       // two CUSTOM providers on one chain
	Agentgateway        = "Agentgateway"           // agentgateway does not apply Istio's own policies
	ForeignGateway      = "ForeignGateway"         // somebody else's proxy
	HeadlessService     = "Headless"
	ExternalNameService = "ExternalName"
	Protocol            = "Protocol" // the port does not speak what the policy needs
	ProviderUnknown     = "ProviderUnknown"
	ProviderNotFound    = "ProviderNotFound"
	TriedCustom         = "DryRunDenies" // a CUSTOM that is a dry run denies
	OtherRevision       = "OtherRevision"
	NotDiscovered       = "NotDiscovered" // outside the mesh's discoverySelectors
	IngressBypass       = "IngressBypass"
	SidecarBypass       = "SidecarBypass"
	ExposedBypass       = "NodePort"
	OtherWaypoint       = "OtherWaypoint" // a route through another waypoint
	NotInInput          = "NotInInput"
	MultiCluster        = "MultiCluster"
)

// Target is what a policy names, else its scope.
type Target struct {
	// Kind is that of the object named, or Selector, Namespace or Mesh.
	Kind      string            `json:"kind"`
	Namespace string            `json:"namespace,omitempty"`
	Name      string            `json:"name,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// The kinds of a scope.
const (
	ScopeSelector  = "Selector"
	ScopeNamespace = "Namespace"
	ScopeMesh      = "Mesh"
)

func (t Target) String() string {
	switch t.Kind {
	case ScopeSelector:
		if t.Namespace == "" {
			return "pods with " + mesh.FormatLabels(t.Labels)
		}
		return "pods in " + t.Namespace + " with " + mesh.FormatLabels(t.Labels)
	case ScopeMesh:
		return "the mesh"
	}
	if t.Namespace == "" {
		return t.Kind + " " + t.Name
	}
	return t.Kind + " " + t.Namespace + "/" + t.Name
}

func (t Target) compare(o Target) int {
	return cmp.Or(strings.Compare(t.Kind, o.Kind), strings.Compare(t.Namespace, o.Namespace), strings.Compare(t.Name, o.Name),
		strings.Compare(mesh.FormatLabels(t.Labels), mesh.FormatLabels(o.Labels)))
}

// Wait is something whose mere appearance would put a policy, unchanged, in force: an object, or
// a label on one.
type Wait struct {
	Object *mesh.Ref         `json:"object,omitempty"` // without a name: any with Labels
	Labels map[string]string `json:"labels,omitempty"`
	Label  string            `json:"label,omitempty"`
	On     *mesh.Ref         `json:"on,omitempty"`
}

func (w Wait) String() string {
	switch {
	case w.Object != nil && w.Object.Name == "" && len(w.Labels) == 0:
		if w.Object.Namespace != "" {
			return a(w.Object.Kind) + " in " + w.Object.Namespace
		}
		return a(w.Object.Kind)
	case w.On != nil && w.On.Name == "":
		return "label " + w.Label + " on " + a(w.On.Kind)
	case w.Object != nil && w.Object.Name == "":
		return a(w.Object.Kind) + " in " + w.Object.Namespace + " with " + mesh.FormatLabels(w.Labels)
	case w.Object != nil:
		return w.Object.String()
	}
	return "label " + w.Label + " on " + w.On.String()
}

// a is a kind with its article.
func a(kind string) string {
	if strings.ContainsAny(kind[:min(1, len(kind))], "AEIO") {
		return "an " + kind
	}
	return "a " + kind
}

// Effect is what one policy really does to one target. Its key is (Object, Target, EnforcedBy).
type Effect struct {
	Object     mesh.Ref   `json:"object"`
	Target     Target     `json:"target"`
	EnforcedBy EnforcedBy `json:"enforcedBy"`
	By         *mesh.Ref  `json:"by"` // the waypoint or gateway
	Verdict    Verdict    `json:"verdict"`
	Reason     string     `json:"reason"`
	Workloads  int        `json:"workloads,omitempty"` // how many the effect is about, where they are known
	WaitsFor   []Wait     `json:"waitsFor"`
	Message    string     `json:"message"`

	// At is the waypoint or gateway that the effect is about, also where it does not enforce the policy.
	At *mesh.Ref `json:"-"`
	// Field is where in the object the cause stands, as in "spec.targetRefs[1]".
	Field string `json:"-"`
	// Causes are all that is behind the verdict, the one that decides first.
	Causes []Cause `json:"-"`
}

// Cause is one thing that makes an effect differ from what the policy says.
type Cause struct {
	Reason  string
	Verdict Verdict
	Field   string // where it stands in the policy
	Text    string // as a clause: "ztunnel drops methods"
}

// Has reports whether reason is among the causes.
func (e Effect) Has(reason string) bool {
	return e.Reason == reason || slices.ContainsFunc(e.Causes, func(c Cause) bool { return c.Reason == reason })
}

// FailsOpen is whether calls get through that the policy's author means to stop.
func (v Verdict) FailsOpen() bool {
	switch v {
	case PartiallyEnforced, NotEnforced, Pending, Bypassable:
		return true
	}
	return false
}

// worse orders verdicts of which several hold: what fails open wins, then what denies most.
var severityOf = map[Verdict]int{
	Enforced: 0, OverDenies: 1, DeniesAll: 2, Bypassable: 3, PartiallyEnforced: 4, Pending: 5, NotEnforced: 6, Unknown: 7,
}

// Worse reports whether v is to be told rather than o where both hold.
func (v Verdict) Worse(o Verdict) bool { return severityOf[v] > severityOf[o] }

func sortEffects(effects []Effect) []Effect {
	slices.SortStableFunc(effects, func(a, b Effect) int {
		return cmp.Or(a.Target.compare(b.Target), strings.Compare(string(a.EnforcedBy), string(b.EnforcedBy)))
	})
	return effects
}
