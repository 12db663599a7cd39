package policies

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// peerJudge weighs one PeerAuthentication over the workloads of one enforcement point.
type peerJudge struct {
	s    *mesh.Snapshot
	o    *mesh.Object
	spec *mesh.PeerAuthenticationSpec
	by   EnforcedBy

	decides int // workloads at which it decides at least what holds for most ports
	agrees  int // at which an older one counts that comes to the same
	same    int // at which a narrower one decides that comes to the same
	shown   int // of those at which it decides, those that are in the input
	all     int // workloads in the input
	causes  []Cause
}

func (j *peerJudge) add(v Verdict, reason, field, format string, args ...any) {
	for _, c := range j.causes {
		if c.Reason == reason && c.Field == field {
			return
		}
	}
	j.causes = append(j.causes, Cause{Reason: reason, Verdict: v, Field: field, Text: fmt.Sprintf(format, args...)})
}

// take weighs the policy at one workload.
func (j *peerJudge) take(w *mesh.Workload) {
	j.all += count([]*mesh.Workload{w})
	sidecar := j.by == Sidecar
	equals := peersOfScope(j.s, j.o, w, sidecar)
	if !slices.Contains(equals, j.o) {
		j.add(NotEnforced, EmptySelector, "spec.selector", "outside the root namespace only those without any selector count there, and `selector: {}` is one")
		return
	}
	peers := j.s.Peers(w.Namespace, w.Labels, sidecar)
	first := oldest(equals)
	says := j.with(peers, j.o).Composed()
	others := slices.DeleteFunc(slices.Clone(first), func(x *mesh.Object) bool { return sameMTLS(says, j.with(peers, x).Composed()) })
	switch {
	case len(others) == 0 && !slices.Contains(first, j.o):
		j.agrees++
		return
	case len(others) > 0 && !slices.Contains(first, j.o):
		j.add(NotEnforced, Superseded, scopeField(j.spec.Selector, "selector"), "%s is older and as wide, and only the oldest counts", first[0])
		return
	case len(others) > 0:
		j.add(Unknown, Superseded, scopeField(j.spec.Selector, "selector"), "%s is as wide, only the oldest counts, and the input does not show which that is", others[0])
		return
	}
	if by := overriding(peers, PeerScope(j.s, j.o)); by != nil {
		if own := mesh.ModeOf(j.o); own == mesh.Unset || (own == mesh.Strict) == (mesh.ModeOf(by) == mesh.Strict) {
			j.same++
			return
		}
		j.add(NotEnforced, Overridden, "spec.mtls.mode", "%s is narrower and decides", by)
		return
	}
	j.decides++
	j.shown += count([]*mesh.Workload{w})
	does := says
	if !sidecar {
		does = j.s.EffectiveMTLS(w.Namespace, w.Labels)
	}
	j.compare(w, peers, says, does)
}

// with is peers with o in its place.
func (j *peerJudge) with(p mesh.Peers, o *mesh.Object) mesh.Peers {
	switch PeerScope(j.s, o) {
	case ScopeMesh:
		p.Mesh = o
	case ScopeNamespace:
		p.Namespace = o
	default:
		p.Workload = o
	}
	return p
}

// overriding is a narrower PeerAuthentication that leaves nothing to one of that scope.
func overriding(p mesh.Peers, scope string) *mesh.Object {
	switch {
	case scope != ScopeSelector && mesh.ModeOf(p.Workload) != mesh.Unset:
		return p.Workload
	case scope == ScopeMesh && mesh.ModeOf(p.Namespace) != mesh.Unset:
		return p.Namespace
	}
	return nil
}

func sameMTLS(a, b mesh.MTLS) bool {
	if a.Strict != b.Strict {
		return false
	}
	for _, m := range []map[int32]bool{a.Ports, b.Ports} {
		for port := range m {
			if a.StrictOn(port) != b.StrictOn(port) {
				return false
			}
		}
	}
	return true
}

// compare holds what comes of the policies of a workload against what they say.
func (j *peerJudge) compare(w *mesh.Workload, p mesh.Peers, says, does mesh.MTLS) {
	field := "spec.mtls.mode"
	own := PeerScope(j.s, j.o) == ScopeSelector
	dangling := "istiod makes no policy of the ports of " + "%s, and the pods refer to it in place of the one that refuses plaintext"
	if says.Strict && !does.Strict {
		j.add(PartiallyEnforced, DanglingPort, j.portsOr(field), dangling, p.Workload)
	}
	if own {
		for _, port := range slices.Sorted(maps.Keys(says.Ports)) {
			at := "spec.portLevelMtls[" + strconv.Itoa(int(port)) + "].mode"
			switch {
			case says.StrictOn(port) && !does.StrictOn(port):
				j.add(PartiallyEnforced, DanglingPort, at, dangling, p.Workload)
			case !says.StrictOn(port) && does.StrictOn(port):
				j.add(OverDenies, PortModeIgnored, at, "below STRICT istiod overlooks a port's DISABLE where no port is PERMISSIVE and the mode is unset, so port %d refuses plaintext", port)
			}
		}
	}
	if j.by == Ztunnel && mesh.Bypassed(w) && (says.Strict || own && slices.Contains(slices.Collect(maps.Values(says.Ports)), true)) {
		j.add(PartiallyEnforced, InboundBypass, field, "callers in plaintext reach %s without passing ztunnel (annotation ambient.istio.io/bypass-inbound-capture)", Named(w))
	}
	without := p
	switch PeerScope(j.s, j.o) {
	case ScopeSelector:
		without.Workload = nil
	case ScopeNamespace:
		without.Namespace = nil
	default:
		without.Mesh = nil
	}
	if j.by == Ztunnel && mesh.ModeOf(j.o) == mesh.Disable && without.Composed().Strict {
		j.add(PartiallyEnforced, DisablePermits, field, "DISABLE counts as PERMISSIVE there, so it turns off the STRICT above it, and calls between enrolled pods stay mTLS")
	}
}

func (j *peerJudge) portsOr(field string) string {
	if ports := mesh.PortsOf(j.spec); len(ports) > 0 {
		return "spec.portLevelMtls[" + ports[0] + "].mode"
	}
	return field
}

// ports finds what is wrong with portLevelMtls itself.
func (j *peerJudge) ports(workloads []*mesh.Workload) {
	if len(j.spec.PortLevelMTLS) == 0 {
		return
	}
	if PeerScope(j.s, j.o) != ScopeSelector {
		j.add(PartiallyEnforced, PortsNeedPods, "spec.portLevelMtls", "portLevelMtls counts only beside a selector with labels")
		return
	}
	var listed []uint16
	for _, p := range mesh.PortsOf(j.spec) {
		if n, err := strconv.ParseUint(p, 10, 16); err == nil {
			listed = append(listed, uint16(n))
		}
	}
	for _, n := range listed {
		key := strconv.Itoa(int(n))
		never, why := pods{j.s, workloads}.port(n, listed)
		if j.by == Sidecar {
			why = strings.Replace(why, "ztunnel sees", "a sidecar sees", 1)
		}
		switch m := j.spec.PortLevelMTLS[key].ModeOr(); {
		case !never || m == mesh.Unset:
		case m == mesh.Strict:
			j.add(PartiallyEnforced, PortNeverMatches, "spec.portLevelMtls["+key+"]", "%s", why)
		default:
			j.add(OverDenies, PortNeverMatches, "spec.portLevelMtls["+key+"]", "%s", why)
		}
	}
}

// effect sums up.
func (j *peerJudge) effect(t Target) Effect {
	e := Effect{Target: t, EnforcedBy: j.by, Verdict: Enforced, Reason: Accepted, Workloads: j.shown, Causes: j.causes}
	if worst := j.worst(); worst != nil {
		e.Verdict, e.Reason, e.Field = worst.Verdict, worst.Reason, worst.Field
		if j.nothingLeft(worst) {
			e.Verdict = NotEnforced
		}
	} else if j.decides == 0 {
		e.Reason = Superseded
		if j.agrees == 0 {
			e.Reason = Overridden
		}
	}
	if j.decides == 0 || e.Verdict != Enforced {
		e.Workloads = j.all
	}
	if e.Verdict == NotEnforced || e.Verdict == Unknown {
		e.EnforcedBy = Nobody
	}
	e.Message = j.message(&e)
	return e
}

// worst is the cause that decides. That the policy does not count for some of its workloads is worth
// telling only where it is not what its author can have meant: a narrower one overriding it is.
func (j *peerJudge) worst() *Cause {
	var worst *Cause
	for i := range j.causes {
		c := &j.causes[i]
		switch {
		case c.Reason == Overridden && j.decides+j.agrees+j.same > 0:
			continue
		case c.Verdict == NotEnforced && j.decides+j.agrees+j.same > 0:
			c.Verdict = PartiallyEnforced
		}
		if worst == nil || c.Verdict.Worse(worst.Verdict) {
			worst = c
		}
	}
	return worst
}

// nothingLeft is whether what fails to take effect is all that the policy says.
func (j *peerJudge) nothingLeft(worst *Cause) bool {
	if worst.Verdict != PartiallyEnforced || mesh.ModeOf(j.o) != mesh.Unset {
		return false
	}
	switch worst.Reason {
	case DanglingPort, PortNeverMatches:
		permissive := 0
		for _, m := range j.spec.PortLevelMTLS {
			if m.ModeOr() != mesh.Strict {
				permissive++
			}
		}
		return permissive == 0 && len(j.spec.PortLevelMTLS) == 1
	case PortsNeedPods:
		return true
	}
	return false
}

var peerRemedies = map[string]string{
	EmptySelector:    "Remove spec.selector.",
	Superseded:       "Keep one of them.",
	Overridden:       "Remove it, or the narrower ones.",
	DanglingPort:     "Set spec.mtls.mode: STRICT beside the ports.",
	PortModeIgnored:  "Set the port's mode to PERMISSIVE.",
	PortsNeedPods:    "Add a selector, or remove portLevelMtls.",
	DisablePermits:   "Say PERMISSIVE where plaintext is meant to be let in, or STRICT where it is not.",
	InboundBypass:    "Remove the annotation from the pods.",
	PortNeverMatches: "Name the port of the container.",
}

func (j *peerJudge) message(e *Effect) string {
	who := map[EnforcedBy]string{Ztunnel: "ztunnel", Sidecar: "the sidecars"}[j.by]
	consequence := map[Verdict]string{
		NotEnforced:       "this PeerAuthentication has no effect at " + who,
		PartiallyEnforced: "this PeerAuthentication lets in more than it says at " + who,
		OverDenies:        "this PeerAuthentication refuses more than it says at " + who,
		Unknown:           "it cannot be judged",
	}[e.Verdict]
	if consequence != "" {
		return fmt.Sprintf("%s: %s. %s", consequence, firstText(e.Causes, e.Reason), peerRemedies[e.Reason])
	}
	plural := ""
	if j.by == Ztunnel {
		plural = "s"
	}
	switch mode := mesh.ModeOf(j.o); {
	case e.Reason == Superseded:
		return "an older one that is as wide comes to the same, and it is that one which counts."
	case e.Reason == Overridden:
		return "narrower ones decide everywhere, and they come to the same."
	case mode == mesh.Strict && len(j.spec.PortLevelMTLS) == 0:
		return fmt.Sprintf("%s refuse%s plaintext, as written.", who, plural)
	case mode == mesh.Disable && j.by == Ztunnel:
		return "ztunnel lets plaintext in, as written; calls between enrolled pods stay mTLS."
	case mode == mesh.Permissive && len(j.spec.PortLevelMTLS) == 0:
		return fmt.Sprintf("%s let%s plaintext in, as written.", who, plural)
	}
	return fmt.Sprintf("%s enforce%s it as written.", who, plural)
}

// Named is how messages name a workload.
func Named(w *mesh.Workload) string {
	if w.Source == nil {
		return "pods with " + mesh.FormatLabels(w.Labels)
	}
	return w.Source.String()
}
