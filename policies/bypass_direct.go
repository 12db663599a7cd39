package policies

import (
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A path round a waypoint is closed where ztunnel refuses who takes it: by mTLS that is STRICT, by
// a DENY of everybody but the waypoint, or by ALLOWs that do not name the caller.

// direct is a caller that connects to pods without passing a waypoint.
type direct struct {
	principal string // without spiffe://; "" where it is plaintext, or not known
	plaintext bool
}

// known is whether anything can be said of the caller's identity.
func (d direct) known() bool { return d.plaintext || d.principal != "" }

// chance is whether something happens.
type chance int

const (
	never chance = iota
	maybe
	always
)

// open is whether ztunnel lets the caller in to any of the workloads. Without a workload to look at,
// and for one that ztunnel does not capture, nothing refuses anybody.
func (d direct) open(s *mesh.Snapshot, workloads []*mesh.Workload) bool {
	return len(workloads) == 0 || slices.ContainsFunc(workloads, func(w *mesh.Workload) bool {
		return w.Mode != mesh.ModeAmbient || !d.refused(s, w)
	})
}

func (d direct) refused(s *mesh.Snapshot, w *mesh.Workload) bool {
	if d.plaintext && d.strict(s, w) {
		return true
	}
	for _, o := range DeniesAt(s, w) {
		if a := Convert(s, o); a != nil && d.fits(a) == always {
			return true
		}
	}
	allows := AllowsAt(s, w)
	return len(allows) > 0 && !slices.ContainsFunc(allows, func(o *mesh.Object) bool {
		a := Convert(s, o)
		return a != nil && d.fits(a) != never
	})
}

// fits is whether a policy matches the caller: any group, in it every clause, in that any match.
func (d direct) fits(a *Authorization) chance {
	best := never
	for _, group := range a.Groups {
		all := always
		for _, clause := range group {
			any := never
			for _, m := range clause {
				any = max(any, d.match(m))
			}
			all = min(all, any)
		}
		best = max(best, all)
	}
	return best
}

func (d direct) match(m Match) chance {
	if m.Empty() {
		return never
	}
	out := always
	if len(m.SourceIPs)+len(m.NotSourceIPs)+len(m.DestinationIPs)+len(m.NotDestinationIPs)+len(m.DestinationPorts)+len(m.NotDestinationPorts) > 0 {
		out = maybe
	}
	_, rest, _ := strings.Cut(d.principal, "/ns/")
	ns, sa, _ := strings.Cut(rest, "/sa/")
	account := ns + "/" + sa
	if d.plaintext {
		account = ""
	}
	for _, f := range []struct {
		values  []string
		subject string
		negated bool
	}{
		{m.Principals, d.principal, false}, {m.NotPrincipals, d.principal, true},
		{m.Namespaces, ns, false}, {m.NotNamespaces, ns, true},
		{m.ServiceAccounts, account, false}, {m.NotServiceAccounts, account, true},
	} {
		if len(f.values) == 0 {
			continue
		}
		hit := f.subject != "" && slices.ContainsFunc(f.values, func(v string) bool { return stringMatch(v, f.subject) })
		switch {
		case !d.known():
			out = min(out, maybe)
		case hit == f.negated:
			return never
		}
	}
	return out
}

// strict is whether every port of the workload refuses plaintext.
func (d direct) strict(s *mesh.Snapshot, w *mesh.Workload) bool {
	m := s.EffectiveMTLS(w.Namespace, w.Labels)
	if !m.Strict || m.Dangling {
		return false
	}
	for _, strict := range m.Ports {
		if !strict {
			return false
		}
	}
	return true
}

// Guarded is whether ztunnel keeps out whoever does not come through the waypoint: a stranger of any
// name, and one without. With PILOT_AUTO_ALLOW_WAYPOINT_POLICY istiod sees to it.
func Guarded(s *mesh.Snapshot, workloads []*mesh.Workload) bool {
	if s.Settings().Flag("PILOT_AUTO_ALLOW_WAYPOINT_POLICY", false) {
		return true
	}
	stranger := direct{principal: "stranger.invalid/ns/stranger/sa/stranger"}
	return !stranger.open(s, workloads) && !(direct{plaintext: true}).open(s, workloads)
}

// Admits is whether ztunnel may let in a caller of that principal, without spiffe://, that connects to any of the workloads without
// passing a waypoint. For a workload that ztunnel does not capture, nothing refuses anybody.
func Admits(s *mesh.Snapshot, workloads []*mesh.Workload, principal string) bool {
	return (direct{principal: principal}).open(s, workloads)
}
