package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A rule at the pods that names a waypoint by the service account it would have without annotation
// gateway.istio.io/service-account. With it the waypoint calls under another, so an ALLOW that admits
// the waypoint admits nobody, and a DENY of everybody else denies the waypoint.
var _ = policies.Register(policies.Check{
	ID:       "effect/renamed-waypoint",
	Title:    "A rule for a waypoint's former identity",
	Severity: policies.High,
	Kinds:    []mesh.Kind{mesh.AuthorizationPolicy},
	Cases:    []int{142},
	Controls: evidenceFor(authorization(), serviceIdentity()),
	Doc: `A waypoint's identity is that of its service account, which is called like the Gateway unless annotation
gateway.istio.io/service-account says otherwise. A rule that names the Gateway's name, when the annotation says another,
names nobody.`,
	Remedy: "Name the service account that the annotation says.",
	Run: func(p *policies.Pass) {
		spec := p.Object.Spec.(*mesh.AuthorizationPolicySpec)
		if len(spec.Attachment().Refs()) > 0 {
			return
		}
		for i := range spec.Rules {
			for j := range spec.Rules[i].From {
				src := &spec.Rules[i].From[j].Source
				for field, principals := range map[string][]string{"principals": src.Principals, "notPrincipals": src.NotPrincipals} {
					formerIdentity(p, principals, "spec.rules["+strconv.Itoa(i)+"].from["+strconv.Itoa(j)+"].source."+field)
				}
			}
		}
	},
})

func formerIdentity(p *policies.Pass, principals []string, field string) {
	for _, principal := range principals {
		_, rest, _ := strings.Cut(principal, "/ns/")
		ns, sa, ok := strings.Cut(rest, "/sa/")
		gw := p.Get(mesh.Gateway, ns, sa)
		if !ok || gw == nil || !p.ClassOf(gw).Waypoint() || gw.Annotations[annotation.GatewayServiceAccount.Name] == "" {
			continue
		}
		now := p.Identity(gw)
		used := slices.ContainsFunc(p.Workloads(ns), func(w *mesh.Workload) bool { return w.ServiceAccount == sa })
		if now == principal || slices.Contains(principals, now) || used {
			continue
		}
		p.Report(policies.Finding{Field: field, Related: []mesh.Ref{gw.Ref()},
			Message: fmt.Sprintf("%q is nobody: waypoint %s calls as %s, as its annotation %s says.", principal, gw.Key(), now, annotation.GatewayServiceAccount.Name)})
	}
}
