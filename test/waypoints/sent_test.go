//go:build cluster

package waypoints

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/waywarden/waywarden/test/oracle"
)

// sent is what istiod sends to ztunnels. It is read whole, and only where a test asks.
func (w *world) sent() oracle.Ambient {
	w.t.Helper()
	resp, err := http.Get(w.IstiodURL + "/debug/ambientz")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out oracle.Ambient
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		w.t.Fatalf("read what istiod sends: %v", err)
	}
	return out
}

// sentTo is where ztunnels send what is addressed to a Service: the host of a waypoint, or oracle.Nothing.
func (w *world) sentTo(ns, service string) string {
	w.t.Helper()
	all := w.sent().Services
	i := slices.IndexFunc(all, func(s oracle.Service) bool { return s.Namespace == ns && s.Name == service })
	if i < 0 {
		w.t.Fatalf("istiod does not know Service %s/%s", ns, service)
	}
	return all[i].Waypoint.String()
}

// carried are the policies that ztunnels enforce for the workloads of a namespace that have a name beginning so.
func (w *world) carried(ns, workload string) []string {
	w.t.Helper()
	var out []string
	for _, x := range w.sent().Workloads {
		if x.Namespace == ns && len(x.Name) >= len(workload) && x.Name[:len(workload)] == workload {
			out = append(out, x.AuthorizationPolicies...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
