package checks

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A port of portLevelMtls that is the Service's and not the container's. Connections arrive at pods,
// on the ports where containers listen; a mode for any other number never applies. Found only where
// a Service leads from that number to another port of the pods and no container declares it.
var _ = policies.Register(policies.Check{
	ID:       "effect/peer-service-port",
	Title:    "An mTLS mode for a port that nobody listens on",
	Severity: policies.Medium,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Cases:    []int{51},
	Controls: encryption(),
	Doc: `The ports of portLevelMtls are those of the containers. The number of a Service's port never matches where its
targetPort is another, so the mode that is meant for it does not hold.`,
	Remedy: "Name the port on which the container listens.",
	Run: func(p *policies.Pass) {
		reportPeer(p, policies.PortNeverMatches, "this port's mode never applies", func(f *policies.Finding, c policies.Cause) bool {
			if c.Verdict == policies.PartiallyEnforced {
				f.Severity = policies.High
			}
			f.Fixes = renamePort(p, c)
			return true
		})
	},
})

// renamePort moves a STRICT to the container's port. Moving a PERMISSIVE or DISABLE would open one, so
// that is left to people; so is what istiod would make nothing of.
func renamePort(p *policies.Pass, c policies.Cause) []policies.Fix {
	spec := p.Object.Spec.(*mesh.PeerAuthenticationSpec)
	was := strings.TrimSuffix(strings.TrimPrefix(c.Field, "spec.portLevelMtls["), "]")
	_, right, found := strings.Cut(c.Text, "the pods' port ")
	if !found || c.Verdict != policies.PartiallyEnforced || spec.PortLevelMTLS[right] != nil {
		return nil
	}
	n, err := strconv.ParseInt(right, 10, 32)
	if err != nil {
		return nil
	}
	for _, w := range p.Select(p.Object.Namespace, spec.Selector.MatchLabels) {
		m := p.EffectiveMTLS(w.Namespace, w.Labels)
		if w.Mode != mesh.ModeAmbient || m.Dangling || m.StrictOn(int32(n)) || mesh.ModeOf(p.Object) == mesh.Strict {
			return nil
		}
	}
	return []policies.Fix{{
		Message: fmt.Sprintf("name port %s in place of %s; from then on calls in plaintext to port %s are refused", right, was, right),
		Patch: []policies.Op{
			{Op: "add", Path: policies.Pointer("spec", "portLevelMtls", right), Value: map[string]any{"mode": mesh.Strict}},
			{Op: "remove", Path: policies.Pointer("spec", "portLevelMtls", was)},
		},
	}}
}
