package policies

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Bypasses are ways by which calls get round the policies of a waypoint. There are more by which somebody gets to the pods: a
// Service without a waypoint over the same pods, and whoever scrapes their metrics. They take nothing from the policies of a
// Service, as nobody calls the Service by them, but whoever closes the pods to all but the waypoint closes them too.

// The reasons of those ways.
const (
	HeadlessWay = "Headless"       // callers connect to the pods' own addresses
	UnboundWay  = "UnboundService" // another Service over the same pods has no waypoint
	ScraperWay  = "Scraper"        // metrics are read from the pods
)

// Ways are all known ways to the pods of a bound Service that do not go by its waypoint and that nothing closes: Bypasses,
// and those that only a guard at the pods would close. Caller is "" where who comes has no identity, or it is not known. scrapers are [Scrapers] of the mesh.
func Ways(s *mesh.Snapshot, svc *mesh.Object, scrapers []*mesh.Workload) []Bypass {
	out := called(Bypasses(s, svc))
	behind, _ := s.Backends(svc)
	if len(behind) == 0 || !slices.ContainsFunc(behind, func(w *mesh.Workload) bool { return w.Mode == mesh.ModeAmbient }) {
		return out
	}
	if (direct{}).open(s, behind) {
		for _, b := range besides(s, svc, behind) {
			// What a policy over the pods shows is shown for each Service.
			if !slices.ContainsFunc(out, func(o Bypass) bool { return o.Reason == b.Reason && o.Via == b.Via && o.Caller == b.Caller }) {
				out = append(out, b)
			}
		}
	}
	return append(out, scraped(s, svc, behind, scrapers)...)
}

// called are bypasses with the principals of who comes by them.
func called(in []Bypass) []Bypass {
	for i := range in {
		if in[i].who != nil {
			in[i].Caller = in[i].who().principal
		}
	}
	return in
}

// besides are the ways by other Services over the same pods: those that pass no waypoint, and those round the waypoints of the others.
func besides(s *mesh.Snapshot, svc *mesh.Object, behind []*mesh.Workload) []Bypass {
	var out []Bypass
	seen := map[*mesh.Object]bool{}
	for _, w := range behind {
		for _, other := range s.ServicesOf(w) {
			if seen[other] {
				continue
			}
			seen[other] = true
			switch {
			case mesh.Headless(other):
				out = append(out, Bypass{HeadlessWay, other, "",
					fmt.Sprintf("%s is headless and over the same pods, so that its callers do not come by the waypoint", other), "Part the pods.", nil})
			case other != svc && !s.Binding(other).Bound:
				out = append(out, Bypass{UnboundWay, other, "",
					fmt.Sprintf("%s is over the same pods and bound to no waypoint", other), "Bind it too.", nil})
			case other != svc:
				for _, b := range called(Bypasses(s, other)) {
					b.Text = fmt.Sprintf("%s is over the same pods, and %s", other, b.Text)
					out = append(out, b)
				}
			}
		}
	}
	return out
}

// scrapeAnnotation is how a pod or Service asks to be scraped. Prometheus' own examples of its configuration read it, and so do
// those that come with Istio.
const scrapeAnnotation = "prometheus.io/scrape"

// scraped are those who scrape the pods of a Service, because these ask for it; one that is not known where the mesh shows none.
func scraped(s *mesh.Snapshot, svc *mesh.Object, behind, scrapers []*mesh.Workload) []Bypass {
	asks := asksForScrape(s, behind)
	if asks == nil {
		return nil
	}
	why := fmt.Sprintf("metrics of its pods are read, as annotation %s of %s asks", scrapeAnnotation, asks)
	if len(scrapers) == 0 {
		if !(direct{}).open(s, behind) {
			return nil
		}
		return []Bypass{{ScraperWay, svc, "", why + "; by whom is not known", "Name who scrapes as an exception.", nil}}
	}
	var out []Bypass
	seen := map[string]bool{}
	for _, w := range scrapers {
		by, caller, remedy := direct{plaintext: true}, "", "Enrol it in the mesh, so that it has an identity that can be an exception."
		if w.Mode == mesh.ModeAmbient || w.Mode == mesh.ModeSidecar {
			caller, remedy = principalOf(s, w), "Name it as an exception."
			by = direct{principal: caller}
		}
		if key := w.Source.String() + caller; !seen[key] && by.open(s, behind) {
			seen[key] = true
			out = append(out, Bypass{ScraperWay, w.Source, caller, why + ", probably by " + Named(w), remedy, nil})
		}
	}
	return out
}

// asksForScrape is the object that asks for the pods to be scraped: what makes one of them, or a Service over them.
func asksForScrape(s *mesh.Snapshot, behind []*mesh.Workload) *mesh.Object {
	for _, w := range behind {
		if asksScrape(w.Annotations) {
			return w.Source
		}
		for _, svc := range s.ServicesOf(w) {
			if asksScrape(svc.Annotations) {
				return svc
			}
		}
	}
	return nil
}

func asksScrape(annotations map[string]string) bool {
	yes, err := strconv.ParseBool(annotations[scrapeAnnotation])
	return err == nil && yes
}

// scraperNames are what workloads are called that read metrics of others, by label app.kubernetes.io/name or app.
var scraperNames = []string{"prometheus", "prometheus-agent", "vmagent", "grafana-agent", "alloy", "opentelemetry-collector"}

// Scrapers are the workloads of the mesh that look as if they read metrics of others.
func Scrapers(s *mesh.Snapshot) []*mesh.Workload {
	var out []*mesh.Workload
	for ns := range s.Namespaces() {
		for _, w := range s.Workloads(ns) {
			if w.Source.Kind == mesh.WorkloadEntry || w.Source.Kind == mesh.ServiceEntry {
				continue
			}
			if slices.Contains(scraperNames, w.Labels["app.kubernetes.io/name"]) || slices.Contains(scraperNames, w.Labels["app"]) {
				out = append(out, w)
			}
		}
	}
	return out
}
