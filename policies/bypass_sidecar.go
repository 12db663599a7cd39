package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A sidecar never sends to a waypoint (istio/istio#51445). That a workload with a sidecar calls a Service is
// shown by a policy that names it as a caller there, by a Sidecar that lists the Service's host, and by
// a VirtualService of its namespace that routes there; nothing else is taken for a sign.

// sidecarCaller is a workload with a sidecar that an object shows to call something.
type sidecarCaller struct {
	workload  *mesh.Workload
	principal string
	field     string // where in the object it is named
	how       string // as a clause that continues the workload's name
}

func (c *sidecarCaller) text() string {
	return fmt.Sprintf("%s, %s, has a sidecar, and sidecars never send to a waypoint", c.workload.Source, c.how)
}

const sidecarRemedy = "Move the caller to ambient mode, or admit only the waypoint at the pods."

// sidecarBypasses are the callers with sidecars that ztunnel lets in to the workloads of a Service.
func sidecarBypasses(s *mesh.Snapshot, svc *mesh.Object, behind []*mesh.Workload) []Bypass {
	var out []Bypass
	take := func(via *mesh.Object, c *sidecarCaller) {
		if c != nil && (direct{principal: c.principal}).open(s, behind) {
			out = append(out, Bypass{SidecarBypass, via, c.principal, c.text() + "; " + via.String() + " shows that it calls " + svc.String(), sidecarRemedy, nil})
		}
	}
	for _, o := range OnChain(s, mesh.AuthorizationPolicy, svc) {
		take(o, callerNamedBy(s, o))
	}
	seen := map[*mesh.Object]bool{}
	for w := range apart(behind) {
		for _, o := range AllowsAt(s, w) {
			if !seen[o] {
				seen[o] = true
				take(o, callerNamedBy(s, o))
			}
		}
	}
	for _, o := range s.RoutesTo(svc) {
		if v, ok := o.Spec.(*mesh.VirtualServiceSpec); ok && (len(v.Gateways) == 0 || slices.Contains(v.Gateways, "mesh")) && o.Namespace != svc.Namespace {
			take(o, sidecarIn(s, o.Namespace, nil, "whose Namespace has a route there"))
		}
	}
	for _, o := range s.SidecarsListing(svc) {
		if spec := o.Spec.(*mesh.SidecarSpec); listsHost(s, o, spec, svc) {
			var labels map[string]string
			if spec.WorkloadSelector != nil {
				labels = spec.WorkloadSelector.Labels
			}
			take(o, sidecarIn(s, o.Namespace, labels, "whose Sidecar lists the host"))
		}
	}
	return out
}

// callerNamedBy is a workload with a sidecar that a policy names as a caller: by its principal, by its
// service account, or by a namespace in which everything has a sidecar. What a policy only leaves out,
// or describes with a wildcard, it does not name.
func callerNamedBy(s *mesh.Snapshot, o *mesh.Object) *sidecarCaller {
	p := o.Spec.(*mesh.AuthorizationPolicySpec)
	for i := range p.Rules {
		for j := range p.Rules[i].From {
			src := &p.Rules[i].From[j].Source
			field := rulePath(i) + ".from[" + strconv.Itoa(j) + "].source."
			for _, principal := range src.Principals {
				_, rest, _ := strings.Cut(principal, "/ns/")
				if ns, sa, ok := strings.Cut(rest, "/sa/"); ok {
					if c := sidecarRunningAs(s, ns, sa, field+"principals"); c != nil {
						return c
					}
				}
			}
			for _, account := range qualified(src.ServiceAccounts, o.Namespace) {
				ns, sa, _ := strings.Cut(account, "/")
				if c := sidecarRunningAs(s, ns, sa, field+"serviceAccounts"); c != nil {
					return c
				}
			}
			for _, ns := range src.Namespaces {
				if c := sidecarIn(s, ns, nil, "which runs in Namespace "+ns); c != nil {
					c.field = field + "namespaces"
					return c
				}
			}
		}
	}
	return nil
}

func sidecarRunningAs(s *mesh.Snapshot, ns, sa, field string) *sidecarCaller {
	if !s.Runs(ns, mesh.ModeSidecar) {
		return nil
	}
	for _, w := range s.Workloads(ns) {
		if w.Mode == mesh.ModeSidecar && w.ServiceAccount == sa {
			return &sidecarCaller{w, principalOf(s, w), field, "which runs as " + principalOf(s, w)}
		}
	}
	return nil
}

// sidecarIn is a workload of a namespace with these labels, where all of them have sidecars.
func sidecarIn(s *mesh.Snapshot, ns string, labels map[string]string, how string) *sidecarCaller {
	if !s.Runs(ns, mesh.ModeSidecar) {
		return nil
	}
	var first *mesh.Workload
	for _, w := range s.Workloads(ns) {
		switch {
		case !w.Carries(labels), w.Mode == mesh.ModeGateway, w.Mode == mesh.ModeWaypoint:
		case w.Mode != mesh.ModeSidecar:
			return nil
		case first == nil:
			first = w
		}
	}
	if first == nil {
		return nil
	}
	return &sidecarCaller{workload: first, principal: principalOf(s, first), how: how}
}

func principalOf(s *mesh.Snapshot, w *mesh.Workload) string {
	return s.Settings().TrustDomain + "/ns/" + w.Namespace + "/sa/" + w.ServiceAccount
}

// listsHost is whether a Sidecar names the host of a Service, not only a wildcard over it.
func listsHost(s *mesh.Snapshot, o *mesh.Object, spec *mesh.SidecarSpec, svc *mesh.Object) bool {
	for _, e := range spec.Egress {
		for _, h := range e.Hosts {
			ns, host, ok := strings.Cut(h, "/")
			if ns == "." {
				ns = o.Namespace
			}
			if ok && (ns == "*" || ns == svc.Namespace) && slices.Contains(s.HostsOf(svc), host) {
				return true
			}
		}
	}
	return false
}

// judgeSidecarCallers finds callers that the policy itself names and that have sidecars: it does not
// judge them.
func judgeSidecarCallers(s *mesh.Snapshot, o *mesh.Object, services []*mesh.Object, e *Effect) {
	c := callerNamedBy(s, o)
	if c == nil || !(direct{principal: c.principal}).open(s, backendsOf(s, services)) {
		return
	}
	e.Causes = append(e.Causes, Cause{Reason: SidecarBypass, Verdict: Bypassable, Field: c.field, Text: c.text()})
	if e.Verdict == Bypassable {
		return
	}
	e.Verdict, e.Reason, e.Field = Bypassable, SidecarBypass, c.field
	e.Message = "calls can get round it: " + c.text() + ". " + sidecarRemedy
}
