package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/scenario"
)

// TestFixesAreSafe holds every patch of an AuthorizationPolicy to its promise, by brute force: over
// a grid of callers, paths and requests no call that was stopped gets through afterwards, and what
// is newly denied is what the policy says, and the fix's message says that something will be.
func TestFixesAreSafe(t *testing.T) {
	patches := 0
	for _, c := range asked() {
		for _, cs := range parse(t, fileOf(c)).Cases {
			for _, finding := range all(policies.NewView(cs.Snapshot), policies.Checks()) {
				o := cs.Snapshot.Get(mesh.AuthorizationPolicy, finding.Object.Namespace, finding.Object.Name)
				for _, fix := range finding.Fixes {
					if len(fix.Patch) > 0 && finding.Object.Kind == mesh.AuthorizationPolicy.String() {
						patches++
						next, err := mesh.Decode(patch(t, o.Content(), fix.Patch))
						if err != nil {
							t.Fatal(err)
						}
						for _, wrong := range unsafe(cs.Snapshot, o, next, fix.Message) {
							t.Errorf("%s: %s: %s: %s: %s", c.ID, cs.Name, finding.Check, fix.Message, wrong)
						}
					}
				}
			}
		}
	}
	if patches == 0 {
		t.Error("no scenario patches an AuthorizationPolicy")
	}
}

// TestOracleSees shows that the oracle is not blind: patches that open, close silently, or close what
// the policy does not say are refused.
func TestOracleSees(t *testing.T) {
	f := parse(t, "l7_deny_no_op.txtar")
	i := slices.IndexFunc(f.Cases, func(c scenario.Case) bool { return c.Name == "bad-bound" })
	s := f.Cases[i].Snapshot
	o := s.Get(mesh.AuthorizationPolicy, "shop", "deny-delete")
	for name, ops := range map[string][]policies.Op{
		"an ALLOW that closes the pods": {{Op: "replace", Path: "/spec/action", Value: "ALLOW"}},
		"a rule that it does not have":  {{Op: "replace", Path: "/spec/rules/0", Value: map[string]any{"from": []any{map[string]any{"source": map[string]any{"namespaces": []any{"web"}}}}}}},
	} {
		next, err := mesh.Decode(patch(t, o.Content(), ops))
		if err != nil {
			t.Fatal(err)
		}
		if len(unsafe(s, o, next, "from then on it is denied")) == 0 && len(unsafe(s, o, next, "")) == 0 {
			t.Errorf("%s passes for safe", name)
		}
		if len(unsafe(s.With(next), next, o, "from then on")) == 0 {
			t.Errorf("taking back %s passes for safe", name)
		}
	}
}

// unsafe says what is wrong with a patch that turns the policy o into next.
func unsafe(s *mesh.Snapshot, o, next *mesh.Object, message string) []string {
	before, after := oracle{s, trustOf(s)}, oracle{s.With(next), trustOf(s)}
	was := o.Spec.(*mesh.AuthorizationPolicySpec)
	var wrong []string
	note := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); len(wrong) < 5 && !slices.Contains(wrong, text) {
			wrong = append(wrong, text)
		}
	}
	calls := callsIn(s, o, next)
	for ns := range s.Namespaces() {
		for _, w := range s.Workloads(ns) {
			for _, way := range before.ways(w) {
				for _, c := range calls {
					b, a := before.stops(w, way, c), after.stops(w, way, c)
					switch {
					case b.denied && !a.denied, b.asked && !a.asked && !a.denied:
						note("%s lets in to %s what was stopped: %+v", way, w.Name, c)
					case b.denied || !a.denied:
					case !strings.Contains(message, "from then on"):
						note("the message does not say that something is denied from then on, as is %+v at %s", c, w.Name)
					case (model{c.as(way), written, before.trust, o.Namespace}).matches(was) != (was.Action == "DENY"):
						note("%s denies at %s what the policy does not: %+v", way, w.Name, c)
					}
				}
			}
		}
	}
	return wrong
}

// way is how calls get to a workload: by a Service, or straight to the pod's port, as callers by pod IP,
// sidecars, gateways and plaintext callers do.
type way struct {
	service *mesh.Object
	number  uint16 // the Service's port
	target  uint16 // the pod's
	opaque  bool
}

func (w way) String() string {
	if w.service == nil {
		return "the pod's port " + text(w.target)
	}
	return w.service.String()
}

func (c call) as(w way) call {
	c.port, c.servicePort, c.opaque = w.target, w.number, w.opaque
	return c
}

// oracle answers for a whole mesh what stops a call.
type oracle struct {
	s     *mesh.Snapshot
	trust trust
}

type outcomeOf struct{ denied, asked bool }

func (x oracle) ways(w *mesh.Workload) []way {
	ports := map[uint16]uint16{9: 0} // a port that nobody declares
	var out []way
	for _, svc := range x.s.ServicesOf(w) {
		for _, p := range x.s.Ports(svc) {
			target := uint16(mesh.TargetPort(p, w))
			ports[target] = uint16(p.Number)
			out = append(out, way{svc, uint16(p.Number), target, p.OpaqueToHTTP()})
		}
	}
	for _, p := range w.Ports {
		if _, ok := ports[uint16(p.ContainerPort)]; !ok {
			ports[uint16(p.ContainerPort)] = 0
		}
	}
	for target, number := range ports {
		out = append(out, way{nil, number, target, false})
	}
	return out
}

func (x oracle) stops(w *mesh.Workload, by way, c call) outcomeOf {
	var out outcomeOf
	c = c.as(by)
	if by.service != nil && w.Mode != mesh.ModeSidecar {
		if b := x.s.Binding(by.service); b.Bound && x.s.ClassOf(b.Gateway) == mesh.ClassWaypoint {
			here := c
			here.port = by.number
			out = x.decide(here, atEnvoy, x.at(b.Gateway, by.service))
			c.principal, c.ip = x.s.Identity(b.Gateway), netip.MustParseAddr("10.244.99.99")
		}
	}
	how := map[mesh.Mode]reading{mesh.ModeAmbient: atZtunnel, mesh.ModeSidecar: atEnvoy, mesh.ModeGateway: atEnvoy}[w.Mode]
	if how != written {
		at := x.decide(c, how, x.over(w, how))
		out.denied, out.asked = out.denied || at.denied, out.asked || at.asked
	}
	return out
}

// at are the policies that a waypoint applies to a Service.
func (x oracle) at(gw, svc *mesh.Object) []*mesh.Object {
	return x.pick(func(o *mesh.Object, p *mesh.AuthorizationPolicySpec) bool {
		return slices.ContainsFunc(p.Attachment().Refs(), func(r mesh.TargetRef) bool {
			switch r.Kind {
			case "Service", "ServiceEntry":
				return svc.Kind.String() == r.Kind && svc.Name == r.Name && svc.Namespace == o.Namespace
			case "Gateway":
				return gw.Name == r.Name && gw.Namespace == o.Namespace
			}
			return r.Kind == "GatewayClass" && r.Name == "istio-waypoint" && o.Namespace == x.s.RootNamespace()
		})
	})
}

// over are the policies without targetRefs over a workload.
func (x oracle) over(w *mesh.Workload, how reading) []*mesh.Object {
	return x.pick(func(o *mesh.Object, p *mesh.AuthorizationPolicySpec) bool {
		if len(p.Attachment().Refs()) > 0 || o.Namespace != w.Namespace && o.Namespace != x.s.RootNamespace() {
			return false
		}
		if p.Selector == nil {
			return true
		}
		if p.Selector.MatchLabels == nil {
			return how == atEnvoy
		}
		for k, v := range p.Selector.MatchLabels {
			if w.Labels[k] != v {
				return false
			}
		}
		return true
	})
}

func (x oracle) pick(so func(*mesh.Object, *mesh.AuthorizationPolicySpec) bool) []*mesh.Object {
	var out []*mesh.Object
	for o := range x.s.All(mesh.AuthorizationPolicy) {
		dry, err := strconv.ParseBool(o.Annotations["istio.io/dry-run"])
		if so(o, o.Spec.(*mesh.AuthorizationPolicySpec)) && (err != nil || !dry) {
			out = append(out, o)
		}
	}
	return out
}

func (x oracle) decide(c call, how reading, over []*mesh.Object) outcomeOf {
	var out outcomeOf
	allows, admitted := 0, false
	for _, o := range over {
		p := o.Spec.(*mesh.AuthorizationPolicySpec)
		hit := model{c, how, x.trust, o.Namespace}.matches(p)
		switch p.Action {
		case "", "ALLOW":
			allows++
			admitted = admitted || hit
		case "DENY":
			out.denied = out.denied || hit
		case "CUSTOM":
			out.asked = out.asked || hit && how == atEnvoy
		}
	}
	out.denied = out.denied || allows > 0 && !admitted
	return out
}
