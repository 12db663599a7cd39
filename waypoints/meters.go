package waypoints

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// Scrape reads what the proxy of a pod counts, by the pod's address, as Prometheus would. The caller closes what it returns.
type Scrape func(ctx context.Context, podIP string) (io.ReadCloser, error)

// meters read what proxies count, only while a waypoint is drained or a guard is about to be set.
type meters struct {
	scrape Scrape // nil where nothing is read

	again   time.Time // when to read again
	flows   map[string]map[flow]tally
	unread  string                 // why not every ztunnel was read; "" where it was
	watched map[mesh.Ref]time.Time // Services: until when somebody may have come round the waypoint
	open    map[mesh.Ref]reading   // by waypoint
}

// reading is how many connections pass a waypoint, or why that is not known.
type reading struct {
	connections  int
	unknown      string
	acknowledged time.Time // what every proxy was known to run with when counting began
}

const (
	readEvery   = 10 * time.Second
	readTimeout = 30 * time.Second // of all proxies together
	readAtOnce  = 16
)

const unmetered = "what proxies count is not read"

// look brings the evidence up to date. It returns when to look again; zero where nobody waits for what is counted.
func (m *meters) look(ctx context.Context, w *plan.World, pods func(ns, gateway string) []string) time.Time {
	draining, guarded := drained(w), w.Guarding()
	if len(draining)+len(guarded) == 0 {
		*m = meters{scrape: m.scrape}
		return time.Time{}
	}
	if m.scrape != nil && !w.Now.Before(m.again) {
		m.read(ctx, w, draining, guarded, pods)
		m.again = w.Now.Add(readEvery)
	}
	w.Evidence.Unmetered = m.unread
	if m.scrape == nil {
		w.Evidence.Unmetered = unmetered
	}
	w.Evidence.Direct = map[mesh.Ref]time.Time{}
	for svc, at := range m.watched {
		w.Evidence.Direct[svc] = at
	}
	for _, gw := range draining {
		ref := plan.RefOf(mesh.Gateway, gw.Namespace, gw.Name)
		s := w.Evidence.Waypoints[ref]
		r, read := m.open[ref]
		switch {
		case !read:
			s.Uncounted = unmetered
		case r.unknown != "":
			s.Uncounted = r.unknown
		default:
			s.Counted, s.Connections, s.Acknowledged = true, r.connections, r.acknowledged
		}
		w.Evidence.Waypoints[ref] = s
	}
	if m.scrape == nil {
		return time.Time{}
	}
	return m.again
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

func (m *meters) read(ctx context.Context, w *plan.World, draining []*mesh.Object, guarded []plan.Policy, pods func(ns, gateway string) []string) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	before := m.flows
	m.flows, m.unread = m.ztunnels(ctx, w.View.Snapshot)
	m.open = map[mesh.Ref]reading{}
	for _, gw := range draining {
		r := m.through(ctx, w, gw, pods(gw.Namespace, gw.Name))
		r.acknowledged = w.Evidence.Acknowledged
		m.open[plan.RefOf(mesh.Gateway, gw.Namespace, gw.Name)] = r
	}
	watched := map[mesh.Ref]time.Time{}
	for i := range guarded {
		svc := guarded[i].For[0]
		at, was := m.watched[svc]
		// Of what was before the first look nothing is known, so that it counts as if somebody had just come.
		// What one ztunnel has seen is so, whether or not another one could be read.
		if !was || m.direct(w.View.Snapshot, &guarded[i], before) {
			at = w.Now
		}
		watched[svc] = at
	}
	m.watched = watched
}

// through is how many connections pass a waypoint, by what its pods say, who know of all of them; else by what ztunnels say, who
// know of those of enrolled clients.
func (m *meters) through(ctx context.Context, w *plan.World, gw *mesh.Object, pods []string) reading {
	n, why := m.atPods(ctx, pods)
	switch {
	case why == "":
		return reading{connections: n}
	case m.unread != "":
		return reading{unknown: why + ", and " + m.unread}
	case len(m.flows) == 0:
		return reading{unknown: why + ", and no ztunnel is seen"}
	case w.Settings.Of(gw.Namespace).Profile.Ingress:
		return reading{unknown: why + ", and no ztunnel knows what ingress gateways send through it"}
	}
	identity, open := w.View.Identity(gw), 0
	for _, flows := range m.flows {
		for f, c := range flows {
			if f.reporter == "source" && f.principal == identity {
				open += c.open()
			}
		}
	}
	return reading{connections: open}
}

// atPods is how many connections the pods of a waypoint have open, or why that is not known. Without a pod there is none.
func (m *meters) atPods(ctx context.Context, pods []string) (n int, why string) {
	for _, ip := range pods {
		samples, err := m.one(ctx, ip)
		if err != nil {
			return 0, fmt.Sprintf("its pod at %s was not read: %v", ip, err)
		}
		active, ok := activeAt(samples)
		if !ok {
			return 0, "its pods do not write " + activeMetric
		}
		n += active
	}
	return n, ""
}

// direct is whether somebody who is not let in by a guard has an open connection to the pods of its Service, or has made one since
// the last look.
func (m *meters) direct(s *mesh.Snapshot, guard *plan.Policy, before map[string]map[flow]tally) bool {
	svc := s.Get(mesh.Service, guard.For[0].Namespace, guard.For[0].Name)
	if svc == nil {
		return false
	}
	services, workloads := pathsTo(s, svc)
	for ztunnel, flows := range m.flows {
		for f, now := range flows {
			if f.reporter != "destination" || f.namespace != svc.Namespace || slices.Contains(guard.Admits, f.caller) {
				continue
			}
			if !slices.Contains(services, f.service) && !slices.Contains(workloads, f.workload) {
				continue
			}
			// A ztunnel that has started anew counts from nothing, and what it has let in it has let in since.
			was := before[ztunnel][f]
			if now.open() > 0 || now.let() > was.let() || now.opened < was.opened && now.let() > 0 {
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

// ztunnels are what every ztunnel has counted; why says of which it was not read.
func (m *meters) ztunnels(ctx context.Context, s *mesh.Snapshot) (out map[string]map[flow]tally, why string) {
	var ips []string
	for o := range s.All(mesh.Pod) {
		if pod, ok := o.Spec.(*mesh.PodBody); ok && isZtunnel(o) {
			ips = append(ips, cmp.Or(pod.Status.PodIP, "?"))
		}
	}
	out = map[string]map[flow]tally{}
	var (
		mu    sync.Mutex
		errs  []error
		group sync.WaitGroup
		slots = make(chan struct{}, readAtOnce)
	)
	for _, ip := range ips {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			samples, err := m.one(ctx, ip)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("the ztunnel at %s was not read: %w", ip, err))
				return
			}
			out[ip] = flowsOf(samples)
		})
	}
	group.Wait()
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	if len(errs) > 0 {
		return out, errs[0].Error()
	}
	return out, ""
}

func (m *meters) one(ctx context.Context, ip string) ([]sample, error) {
	if ip == "?" {
		return nil, errors.New("it has no address")
	}
	in, err := m.scrape(ctx, ip)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return readSamples(in)
}
