package checks

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// kubelet is the address to which istio-cni rewrites the source of a kubelet's probes, so that ztunnel can
// tell them from other plaintext (cni/pkg/iptables, HostProbeSNATIP).
var kubelet = netip.MustParseAddr("169.254.7.127")

// A NetworkPolicy that may refuse the kubelet's probes of enrolled pods. STRICT does not: probes come
// from 169.254.7.127, which ztunnel lets through. But most network plugins let connections of the node through
// whatever NetworkPolicies say, know the node by its address, and do not know this one. Whether they
// do is not in the objects, so this is for information.
var _ = policies.Register(policies.Check{
	ID:       "enrolment/network-policy-probes",
	Title:    "A NetworkPolicy that may refuse probes",
	Severity: policies.Info,
	Kinds:    []mesh.Kind{mesh.NetworkPolicy},
	Cases:    []int{136},
	Controls: resilience(),
	Doc: `A kubelet's probes reach an enrolled pod from 169.254.7.127, the same for all nodes. STRICT lets them through.
A NetworkPolicy that limits who may connect refuses them where the network plugin does not take that address for the
node's own, and the pods are restarted.`,
	Remedy: "Admit 169.254.7.127/32 by an ipBlock, unless the network plugin is known to let it through.",
	Run: func(p *policies.Pass) {
		for _, w := range selectedPods(p) {
			limits := p.Isolating(w, false)
			if !w.Probed || len(limits) == 0 || limits[0] != p.Object {
				continue // told once, of the first that limits the pod
			}
			if slices.ContainsFunc(ingressTo(p, w), func(r mesh.NetworkPolicyIngress) bool { return admitsAddress(r, kubelet) }) {
				continue
			}
			p.Report(policies.Finding{Field: "spec.ingress", WaitsFor: another(mesh.NetworkPolicy, p.Object.Namespace),
				Message: fmt.Sprintf("probes of %s may be refused: the kubelet's come from %s, which no NetworkPolicy admits.", policies.Named(w), kubelet)})
			return
		}
	},
})
