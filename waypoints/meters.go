package waypoints

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// meters say what proxies count, only while a waypoint is drained or a guard is about to be set. They judge the newest reading
// there is, and never wait for one.
type meters struct {
	reader *reader // nil where nothing is read

	judged  *reading                  // the last one of which it is in watched what it says
	counted map[string]map[flow]tally // by the address of a ztunnel: what it counted when it was read last
	watched map[mesh.Ref]time.Time    // Services: until when somebody may have come round the waypoint
	missed  map[mesh.Ref]time.Time    // waypoints: since when no reading has said all about them that one can
}

// open is how many connections pass a waypoint, or why that is not known.
type open struct {
	connections int
	unknown     string
	more        bool // the next reading may say more: a proxy was not read yet, or has not answered
}

const unmetered = "what proxies count is not read"

// countWithin is how long a waypoint's proxies may stay unread before it is taken for one whose connections cannot be counted, or not by
// its pods: two readings that take all their time, the rest between them, and as long again.
const countWithin = 2 * (2*readTimeout + readEvery)

// look brings the evidence up to date, and has read what it will be asked for next.
func (m *meters) look(w *plan.World, pods func(ns, gateway string) []string) {
	draining, guarded := drained(w), w.Guarding()
	if len(draining)+len(guarded) == 0 {
		m.judged, m.counted, m.watched, m.missed = nil, nil, nil, nil
		if m.reader != nil {
			m.reader.ask(nil)
		}
		return
	}
	w.Evidence.Direct, w.Evidence.Unmetered = map[mesh.Ref]time.Time{}, unmetered
	var newest *reading
	if m.reader != nil {
		newest = m.reader.ask(wanted(w, draining, pods))
		if newest != nil {
			w.Evidence.Unmetered, w.Evidence.Metered = newest.unread, newest.began
			m.watch(w, newest, guarded)
		} else {
			w.Evidence.Unmetered = ""
		}
		for i := range guarded { // before anything is read, nothing is known
			svc := guarded[i].For[0]
			at, was := m.watched[svc]
			if !was {
				at = w.Now
			}
			w.Evidence.Direct[svc] = at
		}
	}
	missed := map[mesh.Ref]time.Time{}
	for _, gw := range draining {
		ref := plan.RefOf(mesh.Gateway, gw.Namespace, gw.Name)
		since, was := m.missed[ref]
		if !was {
			since = w.Now
		}
		s, late := w.Evidence.Waypoints[ref], w.Now.Sub(since) >= countWithin
		o := m.through(w, newest, gw, pods(gw.Namespace, gw.Name), late)
		if o.more {
			missed[ref] = since
		}
		if o.more && late && o.unknown != "" {
			o.unknown += fmt.Sprintf(", and that for %s", countWithin)
		}
		if o.unknown != "" {
			s.Counted, s.Counting, s.Uncounted = false, o.more && !late, o.unknown
		} else {
			s.Counted, s.Counting, s.Uncounted, s.Connections, s.Acknowledged = true, false, "", o.connections, newest.acknowledged
		}
		w.Evidence.Waypoints[ref] = s
	}
	m.missed = missed
}

// wanted is what to read next.
func wanted(w *plan.World, draining []*mesh.Object, pods func(ns, gateway string) []string) *asked {
	out := &asked{acknowledged: w.Evidence.Acknowledged, ztunnels: ztunnelAddresses(w.View.Snapshot)}
	for _, gw := range draining {
		out.pods = append(out.pods, pods(gw.Namespace, gw.Name)...)
		if at, err := time.Parse(time.RFC3339Nano, gw.Annotations[plan.DrainingSinceAnnotation]); err == nil {
			out.since = later(out.since, at)
		}
	}
	return out
}

// drained are the waypoints of ours to which nothing is bound any more.
func drained(w *plan.World) []*mesh.Object {
	var out []*mesh.Object
	for gw := range w.View.All(mesh.Gateway) {
		if gw.Annotations[plan.DrainingSinceAnnotation] != "" && w.Evidence.Managed.Made(gw) {
			out = append(out, gw)
		}
	}
	return out
}

// watch takes down, once of each reading, who has come round a waypoint.
func (m *meters) watch(w *plan.World, newest *reading, guarded []plan.Policy) {
	if newest == m.judged {
		return
	}
	watched := map[mesh.Ref]time.Time{}
	for i := range guarded {
		svc := guarded[i].For[0]
		at, was := m.watched[svc]
		// Of what was before the first reading nothing is known, so that it counts as if somebody had just come.
		// What one ztunnel has seen is so, whether or not another one could be read.
		if !was || direct(w.View.Snapshot, &guarded[i], newest.flows, m.counted) {
			at = w.Now
		}
		watched[svc] = at
	}
	// One that was not read this time has what it counted before: what it lets in meanwhile it counts on from there, and what it let in
	// until then is no news. Whoever takes over an address counts from nothing.
	counted := map[string]map[flow]tally{}
	for _, ip := range ztunnelAddresses(w.View.Snapshot) {
		if flows, read := newest.flows[ip]; read {
			counted[ip] = flows
		} else if flows, was := m.counted[ip]; was {
			counted[ip] = flows
		}
	}
	m.judged, m.counted, m.watched = newest, counted, watched
}

func ztunnelAddresses(s *mesh.Snapshot) []string {
	var out []string
	for o := range s.All(mesh.Pod) {
		if pod, ok := o.Spec.(*mesh.PodBody); ok && isZtunnel(o) {
			out = append(out, cmp.Or(pod.Status.PodIP, noAddress))
		}
	}
	return out
}

// through is how many connections pass a waypoint, by what its pods say, who know of all of them; else by what ztunnels say, who
// know of those of enrolled clients. Connections that somebody has counted are there, whoever else was not read; that there is none is
// said by all of its pods, or, where those cannot say it or when it is late, by all ztunnels.
func (m *meters) through(w *plan.World, newest *reading, gw *mesh.Object, pods []string, late bool) open {
	switch {
	case m.reader == nil:
		return open{unknown: unmetered}
	case newest == nil:
		return open{unknown: "what proxies count is being read", more: true}
	}
	o := atPods(newest, pods)
	if o.unknown == "" {
		return o
	}
	identity, connections := w.View.Identity(gw), 0
	for _, flows := range newest.flows {
		for f, c := range flows {
			if f.reporter == "source" && f.principal == identity {
				connections += c.open()
			}
		}
	}
	switch connections = max(connections, o.connections); {
	case connections > 0:
		return open{connections: connections, more: o.more}
	case o.more && !late:
		return o
	case newest.unread != "":
		return open{unknown: o.unknown + ", and " + newest.unread, more: true}
	case w.Settings.Of(gw.Namespace).Profile.Ingress, w.Settings.Of(gw.Namespace).Profile.Missing:
		return open{unknown: o.unknown + ", and no ztunnel knows what ingress gateways send through it", more: o.more}
	}
	return open{more: o.more}
}

// atPods is how many connections the pods of a waypoint have open, at least those that were read, and why that is not all. Without a pod
// there is none.
func atPods(newest *reading, pods []string) open {
	var out open
	for _, ip := range pods {
		a, read := newest.active[ip]
		if !read {
			a = active{unknown: fmt.Sprintf("its pod at %s was not read yet", ip), silent: true}
		}
		out.connections += a.connections
		out.unknown, out.more = cmp.Or(out.unknown, a.unknown), out.more || a.silent
	}
	return out
}

// direct is whether somebody who is not let in by a guard has an open connection to the pods of its Service, or has made one since
// the reading before, by what each ztunnel counts.
func direct(s *mesh.Snapshot, guard *plan.Policy, counted, before map[string]map[flow]tally) bool {
	svc := s.Get(mesh.Service, guard.For[0].Namespace, guard.For[0].Name)
	if svc == nil {
		return false
	}
	services, workloads := pathsTo(s, svc)
	for ztunnel, flows := range counted {
		for f, now := range flows {
			if f.reporter != "destination" || f.namespace != svc.Namespace || slices.Contains(guard.Admits, f.caller) {
				continue
			}
			if !slices.Contains(services, f.service) && !slices.Contains(workloads, f.workload) {
				continue
			}
			// A ztunnel that has started anew counts from nothing, and what it has let in it has let in since. What was open at the reading
			// before was there after it.
			was := before[ztunnel][f]
			if now.open() > 0 || was.open() > 0 || now.let() > was.let() || now.opened < was.opened && now.let() > 0 {
				return true
			}
		}
	}
	return false
}

// pathsTo are the Services over the pods of one, and the names of what makes those.
func pathsTo(s *mesh.Snapshot, svc *mesh.Object) (services, workloads []string) {
	services = []string{svc.Key()}
	behind, _ := s.Backends(svc)
	for _, b := range behind {
		for _, other := range s.ServicesOf(b) {
			services = append(services, other.Key())
		}
		workloads = append(workloads, b.Name)
		for o := b.Source; o != nil; o = s.Maker(o) {
			workloads = append(workloads, o.Name)
		}
	}
	return services, workloads
}
