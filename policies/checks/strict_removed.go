package checks

import (
	"fmt"
	"maps"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A PeerAuthentication that goes, changes or comes, and with which some pods stop refusing plaintext. What is over each of
// them decides: another PeerAuthentication of the namespace or the mesh, else Istio's default, which is PERMISSIVE
// (pilot/pkg/security/authn/policy_applier.go ComposePeerAuthentication; ambient/authorization.go).
var _ = policies.Register(policies.Check{
	ID:       "change/strict-removed",
	Title:    "Plaintext is let in from now on",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.PeerAuthentication},
	Controls: evidenceFor(encryption(), changeControl()),
	Doc: `A PeerAuthentication with mode STRICT is what makes pods refuse plaintext. When it is deleted, turned to PERMISSIVE or DISABLE, or
selects something else, and no other one says STRICT for the pods, whoever can reach them gets in without a certificate, and rules on who calls are
compared with nobody. A new PeerAuthentication that is PERMISSIVE for some pods, or some ports, does the same to them where a wider one says STRICT.`,
	Remedy: "Leave it STRICT there, or store the PeerAuthentication that is to take its place first.",
	Change: func(p *policies.ChangePass) {
		cause := "no other PeerAuthentication says STRICT there"
		if p.Old == nil {
			cause = "it counts there in place of the PeerAuthentication that says STRICT"
		}
		if opened := plaintextLetIn(p.Change); len(opened) > 0 {
			p.Report(policies.Finding{
				Field: changedField(p.Change), Namespaces: homes(opened),
				Message: fmt.Sprintf("%s %s plaintext from now on: %s.", enumerate(opened), letsLet(len(opened)), cause),
			})
		}
	},
})

func letsLet(n int) string {
	if n == 1 {
		return "lets in"
	}
	return "let in"
}

// plaintextLetIn are what the workloads come from that refused plaintext on some port and no longer do: of those that the
// object selected, and of those that it selects now, as a PERMISSIVE that moves opens where it goes.
func plaintextLetIn(c *policies.Change) []*mesh.Object {
	var out []*mesh.Object
	for _, o := range []*mesh.Object{c.Old, c.New} {
		if o == nil {
			continue
		}
		var labels map[string]string
		if sel := o.Spec.(*mesh.PeerAuthenticationSpec).Selector; sel != nil {
			labels = sel.MatchLabels
		}
		for _, ns := range reached(c.After, o.Namespace) {
			for _, w := range c.After.Select(ns, labels) {
				if from := standsFor(c.After, w); loosened(refusal(c.Before, w), refusal(c.After, w)) && !slices.Contains(out, from) {
					out = append(out, from)
				}
			}
		}
	}
	return out
}

// refusal is on which ports a workload refuses plaintext; none for one that nothing captures.
func refusal(v *policies.View, w *mesh.Workload) mesh.MTLS {
	switch w.Mode {
	case mesh.ModeAmbient:
		m := v.EffectiveMTLS(w.Namespace, w.Labels)
		if m.Dangling {
			return mesh.MTLS{}
		}
		return m
	case mesh.ModeSidecar:
		return v.Peers(w.Namespace, w.Labels, true).Composed()
	}
	return mesh.MTLS{}
}

func loosened(was, is mesh.MTLS) bool {
	if was.Strict && !is.Strict {
		return true
	}
	for _, ports := range []map[int32]bool{was.Ports, is.Ports} {
		for port := range maps.Keys(ports) {
			if was.StrictOn(port) && !is.StrictOn(port) {
				return true
			}
		}
	}
	return false
}
