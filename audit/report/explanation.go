package report

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// ExplanationKind is the kind of an Explanation.
const ExplanationKind = "Explanation"

// Explanation is everything that one policy does, or everything that guards anything else.
type Explanation struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Object     mesh.Ref  `json:"object"`
	Location   *Location `json:"location"`
	// Facts are what the object is, as sentences.
	Facts []string `json:"facts"`
	// Effects are what a policy does; empty for anything else.
	Effects []Effect `json:"effects"`
	// Layers are what calls pass on their way, and the policies that hold there; empty for a policy.
	Layers []Layer `json:"layers"`
	// Bypasses are the paths round a waypoint that stored objects show.
	Bypasses []Bypass `json:"bypasses"`
	// Findings are about the object and the policies named above.
	Findings []Finding `json:"findings"`
	Errors   []Error   `json:"errors"`
	Unread   []Unread  `json:"unread"`
}

// Layer is one thing that can enforce policies.
type Layer struct {
	// Layer is ztunnel, waypoint, sidecar or gateway; none holds the policies that nothing enforces.
	Layer   policies.EnforcedBy `json:"layer"`
	Facts   []string            `json:"facts"`
	MTLS    []MTLS              `json:"mtls,omitempty"`
	Effects []Effect            `json:"effects"`
}

// MTLS is what connections to some workloads must be.
type MTLS struct {
	Workloads []string `json:"workloads"`
	// Strict is whether plaintext is refused, on ports that Ports does not name.
	Strict bool            `json:"strict"`
	Ports  map[string]bool `json:"ports"`
	// Dangling is whether the workloads refer to a policy that istiod never makes, so that plaintext is let in.
	Dangling bool       `json:"dangling"`
	From     []mesh.Ref `json:"from"` // the PeerAuthentications that count, the widest first
}

// Bypass is a path round a waypoint.
type Bypass struct {
	Service mesh.Ref  `json:"service"`
	Reason  string    `json:"reason"`
	Via     *mesh.Ref `json:"via"`
	Message string    `json:"message"`
	Remedy  string    `json:"remedy"`
}

// Finish fills in order and empty arrays.
func (x *Explanation) Finish() *Explanation {
	x.APIVersion, x.Kind = APIVersion, ExplanationKind
	r := ScanResult{Effects: x.Effects, Findings: x.Findings, Errors: x.Errors, Unread: x.Unread}
	r.Finish()
	x.Effects, x.Findings, x.Errors, x.Unread = r.Effects, r.Findings, r.Errors, r.Unread
	x.Facts, x.Layers, x.Bypasses = notNil(x.Facts), notNil(x.Layers), notNil(x.Bypasses)
	for i := range x.Layers {
		l := ScanResult{Effects: x.Layers[i].Effects}
		l.Finish()
		x.Layers[i].Effects, x.Layers[i].Facts = l.Effects, notNil(x.Layers[i].Facts)
	}
	return x
}
